//! The links by which the Recovery Key changes: by itself, or, when the sheet is lost, in two with a week between.

use lockstep_crypto::kit::RecoverySheet;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::slots::seal_slot_to;
use lockstep_proto::log::{
    AccountLink, Anchor, LinkBody, Reanchor, RecoveryChange, RecoveryPublicKeys, Signer, VaultHead,
};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::in_flight::LinkParts;
use super::key_changes::countersigned_link;
use super::profile::{ProfileError, SIGN_UP};
use super::sign_up::papers;
use super::sign_up_records::{Unshown, put_unshown, read_unshown};
use super::slots::Place;
use super::unlocked::Unlocked;
use crate::ports::{Batch, LocalStore, Table};

/// What a Recovery Key whose sheet is not on paper yet is to the account, as its log is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetStanding {
    /// It is the account's.
    Present,
    /// It is announced.
    Announced,
    /// It is neither: the link that names it is on its way, never came in, or was cancelled.
    Unnamed,
}

/// Whether this device keeps a Recovery Key that is not on paper yet. Needs nothing unlocked.
///
/// # Errors
/// [`ProfileError::Store`].
pub async fn keeps_unshown(store: &dyn LocalStore) -> Result<bool, ProfileError> {
    Ok(store.read(Table::Profile, SIGN_UP).await?.is_some())
}

/// The sheet of that Recovery Key, and whether it counts, until [`super::forget_recovery_key`] is called.
///
/// # Errors
/// [`ProfileError`].
pub async fn unshown_sheet(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Option<(RecoverySheet, SheetStanding)>, ProfileError> {
    let Some(unshown) = read_unshown(store, unlocked).await? else { return Ok(None) };
    let (state, public) = (unlocked.state(), unshown.recovery_key.derive_public_keys());
    let standing = match state.announced_recovery() {
        _ if *state.recovery() == public => SheetStanding::Present,
        Some(announced) if announced.recovery == public => SheetStanding::Announced,
        _ => SheetStanding::Unnamed,
    };
    let (_, sheet) = papers(unlocked, unshown)?;
    Ok(Some((sheet, standing)))
}

/// The link by which the present Recovery Key names the next one, which the batch makes durable as papers to be shown.
///
/// # Errors
/// [`AccountError::OtherRecoveryKey`]; [`AccountError::Seal`]; nothing was stored.
pub(crate) fn make_recovery_change(
    unlocked: &Unlocked,
    present: &RecoveryKey,
    (now_ms, heads): (u64, Vec<VaultHead>),
) -> Result<(Signed<AccountLink>, LinkParts, Batch), AccountError> {
    let state = unlocked.state();
    if *state.recovery() != present.derive_public_keys() {
        return Err(AccountError::OtherRecoveryKey);
    }
    let recovery_key = RecoveryKey::make(unlocked.random());
    let (change, parts) = change_to(unlocked, recovery_key.derive_public_keys())?;
    let signer = Signer::Recovery;
    let link = AccountLink::after(state.account_id(), &state.head(), signer, now_ms, heads, change);
    let link = Signed::sign(link, &present.derive_signing_key());
    Ok((link, parts, shown_later(unlocked, recovery_key)?))
}

/// The link by which a device announces a Recovery Key, which the batch makes durable as papers to be shown.
///
/// # Errors
/// [`AccountError::Profile`]; nothing was stored.
pub(crate) fn make_recovery_announcement(
    unlocked: &Unlocked,
    key: &PasswordKey,
    (now_ms, heads): (u64, Vec<VaultHead>),
) -> Result<(Signed<AccountLink>, Batch), AccountError> {
    let recovery_key = RecoveryKey::make(unlocked.random());
    let body = LinkBody::RecoveryAnnounce(Box::new(recovery_key.derive_public_keys()));
    let link = countersigned_link(unlocked, key, (now_ms, heads), body);
    Ok((link, shown_later(unlocked, recovery_key)?))
}

/// The link by which the account goes on from other histories than a device's own.
pub(crate) fn make_reanchor(
    unlocked: &Unlocked,
    key: &PasswordKey,
    said: (u64, Vec<VaultHead>),
    vaults: Vec<Anchor>,
) -> Signed<AccountLink> {
    countersigned_link(unlocked, key, said, LinkBody::Reanchor(Reanchor { vaults }))
}

/// The link by which a device lets the announced Recovery Key take the place of the present one. `new` is what stands
/// on the sheet that its owner holds: somebody else may have announced another one since.
///
/// # Errors
/// [`AccountError::NoneAnnounced`]; [`AccountError::OtherAnnounced`]; [`AccountError::Seal`].
pub(crate) fn make_recovery_confirmation(
    unlocked: &Unlocked,
    (key, new): (&PasswordKey, &RecoveryKey),
    (now_ms, heads): (u64, Vec<VaultHead>),
) -> Result<(Signed<AccountLink>, LinkParts), AccountError> {
    let announced = unlocked.state().announced_recovery().ok_or(AccountError::NoneAnnounced)?;
    if announced.recovery != new.derive_public_keys() {
        return Err(AccountError::OtherAnnounced);
    }
    let (change, parts) = change_to(unlocked, announced.recovery.clone())?;
    Ok((countersigned_link(unlocked, key, (now_ms, heads), change), parts))
}

/// The change to these keys, with ARK sealed to them: they stand in the account's verified log with it, or before it
/// (P6).
fn change_to(
    unlocked: &Unlocked,
    recovery: RecoveryPublicKeys,
) -> Result<(LinkBody, LinkParts), AccountError> {
    let state = unlocked.state();
    let place = Place { account_id: state.account_id(), before: state.head() };
    let ctx = place.recovery(state.generation());
    let slot = seal_slot_to(&recovery.kem, &ctx, unlocked.ark(), &unlocked.hedge())?;
    let change = RecoveryChange { recovery, slot: slot_hash(&slot) };
    Ok((LinkBody::RecoveryChange(Box::new(change)), LinkParts::of_slots(vec![slot])))
}

fn shown_later(unlocked: &Unlocked, recovery_key: RecoveryKey) -> Result<Batch, AccountError> {
    let mut batch = Batch::new();
    put_unshown(unlocked, &Unshown { recovery_key, invite: None }, &mut batch)?;
    Ok(batch)
}
