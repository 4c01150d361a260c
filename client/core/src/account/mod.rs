//! The account on this device: making it, signing in to it, unlocking it offline, and keeping its log.
//!
//! [`sign_up`](sign_up()), [`start_sign_in`] and [`start_join`] make a profile, [`unlock`](unlock()) opens it; all give
//! an [`Unlocked`], and dropping that locks. With a [`Session`] the log is pulled ([`pull_account`]) and moved
//! ([`append_link`]).
//!
//! **Invariants:**
//! - Account keys are made in [`sign_up`](sign_up()) alone (R-NULL); no answer of a server makes this code create,
//!   replace or forget a key.
//! - Keys, links and slots are durable before the first byte that depends on them is sent, and are sent again as they
//!   are until the server has them (R-ONCE). A crash anywhere leaves a profile that can go on.
//! - What is known of an account is a function of its verified log (R-LOG) and never goes back below the pin.
//! - Every record at rest that holds a secret is sealed under LRK, for its own table and key only.

mod accept_log;
mod claims;
mod dates;
mod device_secrets;
mod enrolment;
mod error;
mod events;
mod former;
mod guesses;
mod heal;
mod in_flight;
mod key_changes;
mod local;
mod local_password;
mod local_slot;
mod log_store;
mod log_sync;
mod new_account;
mod pairing;
mod profile;
mod pull;
mod record_error;
mod recover;
mod recovery_key;
mod registration;
mod rekey;
mod session;
mod sign_in;
mod sign_in_error;
mod sign_in_resume;
mod sign_in_run;
mod sign_up;
mod sign_up_records;
mod slots;
mod stretched;
mod unlock;
mod unlocked;

#[cfg(test)]
pub(crate) mod tests;

pub use accept_log::TwoLogs;
pub(crate) use accept_log::{accept_log, put_removals, removals_due, two_logs};
pub(crate) use claims::{Claims, Said, said};
pub use dates::AccountDates;
pub(crate) use dates::{added_ms, removed_ms};
pub use error::AccountError;
pub use events::{RecoveryGrounds, SecurityEvent, SecurityRecord, mark_events_seen, security_events};
pub(crate) use events::{announced_ms, note_daily, note_event};
pub(crate) use former::open_for_recovery;
pub use former::{LostBecause, LostKeys};
pub(crate) use heal::give_back_log;
pub use in_flight::{LinkParts, append_link, resume_link};
pub(crate) use in_flight::{append_link_with, give_up_link, recovery_waits, waiting_cut_offs};
pub use key_changes::KeyChange;
pub(crate) use key_changes::{
    NewPassword, bar_statement, make_password_link, make_recover_link, make_rekey_link,
};
pub use local::{LocalRecordError, LocalSealer};
pub use local_password::{adopt_password, password_is_outdated, reauthenticate};
pub(crate) use local_password::{countersigning_key, put_local_password, reload_profile, set_local_password};
pub(crate) use log_store::read_links as kept_links;
pub use log_sync::{AccountChange, SignInChange, pull_account};
pub use pairing::{Admitted, Joining, PairingError, start_join};
pub(crate) use pairing::{Approval, Approver, OfferTaken};
pub use profile::{Profile, ProfileError, Stage, abandon_unfinished, profile};
pub use record_error::RecordError;
pub use recover::{PendingRecovery, RecoverError, resume_recovery, start_recovery};
pub(crate) use recover::{Recovery, end_recovery};
pub use recovery_key::{SheetStanding, keeps_unshown, unshown_sheet};
pub(crate) use recovery_key::{
    make_reanchor, make_recovery_announcement, make_recovery_change, make_recovery_confirmation,
};
pub use registration::NewRecord;
pub(crate) use rekey::NextVaultKey;
pub use session::Session;
pub use sign_in::{KnownDevice, PendingSignIn, start_sign_in};
pub use sign_in_error::SignInError;
pub use sign_in_resume::resume_sign_in;
pub use sign_up::{
    NewAccount, SignUpError, SignedUp, forget_recovery_key, resume_sign_up, sign_up, unshown_papers,
};
pub(crate) use slots::SealedVaultKey;
pub use slots::{make_vault_key_slot, vault_key};
pub use unlock::{unlock, unlock_with_lrk};
pub use unlocked::Unlocked;
