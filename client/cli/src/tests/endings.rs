//! How every family of failures ends: exit code and stable code.

use lockstep_client::account::{AccountError, PairingError, ProfileError, SignInError, SignUpError, Stage};
use lockstep_client::api::{ApiError, Garbage};
use lockstep_client::client::{ClientError, PairError};
use lockstep_client::crypto::pairing::PairingMessageError;
use lockstep_client::item::ItemError;
use lockstep_client::ports::{LocalStoreError, TransportError};
use lockstep_client::proto::api::{ErrorCode, Problem};
use lockstep_client::proto::canon::CanonError;
use lockstep_client::proto::ids::{DeviceId, Hash, ItemId, Seq, VaultId};
use lockstep_client::proto::log::{CommitError, LinkError, LogHead};
use lockstep_client::proto::signin::KsfProfile;
use lockstep_client::sync::{Missing, SyncError};

use crate::exit::{EXIT_CODES, Exit};
use crate::failure::Failure;

const VAULT: VaultId = VaultId([1; 32]);
const HEAD: LogHead = LogHead { seq: Seq(4), hash: Hash([2; 32]) };

/// The ending, after a look at its words: a sentence without secrets, more than a code.
fn of(error: impl Into<Failure>) -> (Exit, &'static str) {
    let failure = error.into();
    assert!(failure.message.contains(' '), "{}: {}", failure.code, failure.message);
    assert!(
        failure.code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
        "{}",
        failure.code
    );
    assert_eq!(failure.is_temporary(), failure.exit == Exit::Unreachable);
    (failure.exit, failure.code)
}

fn refused(code: ErrorCode) -> ApiError {
    Problem::new(code, "the server says no").into()
}

fn item() -> ItemId {
    ItemId::from_random([7; 16])
}

#[test]
fn every_code_of_the_server_has_an_ending_and_keeps_its_name() {
    use ErrorCode::{
        ChallengeFailed, DeviceRevoked, Internal, RecoveryFailed, SigninFailed, TooManyAttempts,
        Unauthenticated, Unavailable, Unknown,
    };
    for code in ErrorCode::ALL {
        let exit = match code {
            Unauthenticated | SigninFailed | ChallengeFailed | RecoveryFailed | DeviceRevoked => Exit::Locked,
            TooManyAttempts | Unavailable | Internal | Unknown => Exit::Unreachable,
            _ => Exit::Failed,
        };
        assert_eq!(of(refused(*code)), (exit, code.as_str()));
        assert_eq!(of(SyncError::Api(refused(*code))), (exit, code.as_str()));
        assert_eq!(of(AccountError::Api(refused(*code))), (exit, code.as_str()));
        assert_eq!(of(SyncError::Account(refused(*code).into())), (exit, code.as_str()));
    }
}

#[test]
fn the_way_to_the_server() {
    let garbage = ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None };
    assert_eq!(
        of(ApiError::Transport(TransportError::Unreachable(None))),
        (Exit::Unreachable, "server-unreachable")
    );
    assert_eq!(of(ApiError::Transport(TransportError::TimedOut)), (Exit::Unreachable, "server-unreachable"));
    assert_eq!(of(garbage), (Exit::Unreachable, "not-understood"));
    assert_eq!(of(ApiError::RequestTooLarge { length: 9 }), (Exit::Failed, "request-too-large"));
}

#[test]
fn the_profile() {
    for (error, ending) in [
        (ProfileError::WrongPassword, (Exit::Locked, "wrong-password")),
        (ProfileError::WrongKey, (Exit::Locked, "wrong-key")),
        (ProfileError::Missing, (Exit::Failed, "no-account")),
        (ProfileError::Exists, (Exit::Failed, "account-exists")),
        (ProfileError::Unfinished(Stage::SigningUp), (Exit::Failed, "unfinished")),
        (ProfileError::Unfinished(Stage::SigningIn), (Exit::Failed, "unfinished")),
        (ProfileError::Newer { found: 9 }, (Exit::Failed, "update-needed")),
        (ProfileError::NoLocalSecret, (Exit::Failed, "profile")),
        (ProfileError::Damaged("its keys"), (Exit::Failed, "profile")),
        (ProfileError::Complete, (Exit::Failed, "profile")),
        (ProfileError::Store(LocalStoreError::Full), (Exit::Failed, "profile")),
    ] {
        assert_eq!(of(error), ending);
    }
}

#[test]
fn the_account() {
    for (error, ending) in [
        (AccountError::Link(LinkError::UpdateNeeded("escrow")), (Exit::Failed, "update-needed")),
        (AccountError::Link(LinkError::Genesis), (Exit::Refused, "log-refused")),
        (AccountError::OtherAccount, (Exit::Refused, "other-account")),
        (AccountError::Behind { server: Seq(1), pinned: Seq(2) }, (Exit::Refused, "server-behind")),
        (AccountError::Diverged { at: Seq(2) }, (Exit::Refused, "fork")),
        (AccountError::Withheld { head: HEAD }, (Exit::Refused, "withheld")),
        (AccountError::SlotMissing { hash: Hash([1; 32]) }, (Exit::Refused, "withheld")),
        (AccountError::KeysMovedOn, (Exit::Refused, "keys-withheld")),
        (AccountError::DeviceRevoked, (Exit::Locked, "device-revoked")),
        (AccountError::RecoveryTooEarly { seconds: 9 }, (Exit::Failed, "recovery-too-early")),
        (AccountError::NoneAnnounced, (Exit::Failed, "none-announced")),
        (AccountError::OtherRecoveryKey, (Exit::Locked, "other-recovery-key")),
        (AccountError::LinkInFlight, (Exit::Failed, "account")),
        (AccountError::LinkOvertaken, (Exit::Failed, "account")),
        (ProfileError::WrongPassword.into(), (Exit::Locked, "wrong-password")),
    ] {
        assert_eq!(of(error), ending);
    }
}

#[test]
fn sign_up_and_sign_in() {
    for (error, ending) in [
        (SignUpError::Closed, (Exit::Failed, "signup-closed")),
        (SignUpError::InviteNeeded, (Exit::Failed, "invite-needed")),
        (SignUpError::Protocol { server: 9 }, (Exit::Failed, "update-needed")),
        (SignUpError::ServerKey, (Exit::Refused, "server-key")),
        (SignUpError::OtherAccount, (Exit::Refused, "server-key")),
        (ProfileError::Exists.into(), (Exit::Failed, "account-exists")),
    ] {
        assert_eq!(of(error), ending);
    }
    let weaker = SignInError::WeakerStretching { asked: KsfProfile::CURRENT, required: KsfProfile::CURRENT };
    for (error, ending) in [
        (SignInError::Refused, (Exit::Locked, "signin-refused")),
        (refused(ErrorCode::SigninFailed).into(), (Exit::Locked, "signin-refused")),
        (SignInError::Stretch, (Exit::Failed, "memory")),
        (SignInError::AccountChanged, (Exit::Failed, "account-changed")),
        (weaker, (Exit::Refused, "weaker-stretching")),
        (SignInError::OtherServer, (Exit::Refused, "signin-answer")),
        (SignInError::ServerKey, (Exit::Refused, "signin-answer")),
        (SignInError::Answer, (Exit::Refused, "signin-answer")),
    ] {
        assert_eq!(of(error), ending);
    }
}

#[test]
fn a_pairing() {
    let ended = |code| PairingError::from(refused(code));
    for (error, ending) in [
        (PairingError::Ended, (Exit::Failed, "no-pairing")),
        (ended(ErrorCode::NoPairing), (Exit::Failed, "no-pairing")),
        (ended(ErrorCode::PairingTaken), (Exit::Failed, "pairing-taken")),
        (ended(ErrorCode::TooManyAttempts), (Exit::Unreachable, "too-many-attempts")),
        (PairingError::NoAnswer, (Exit::Failed, "no-answer")),
        (PairingError::AccountChanged, (Exit::Failed, "account-changed")),
        (PairingError::WrongPassword, (Exit::Locked, "wrong-password")),
        (PairingError::OtherServer, (Exit::Refused, "other-server")),
        (PairingError::OtherLink, (Exit::Refused, "other-link")),
        (PairingMessageError::Commitment.into(), (Exit::Refused, "pairing-refused")),
        (PairingMessageError::OtherCode.into(), (Exit::Refused, "pairing-refused")),
        (AccountError::Withheld { head: HEAD }.into(), (Exit::Refused, "withheld")),
        (SignInError::Stretch.into(), (Exit::Failed, "memory")),
    ] {
        assert_eq!(of(error), ending);
    }
    let unanswered =
        PairingError::Unanswered { device_id: DeviceId([7; 16]), source: Box::new(PairingError::Ended) };
    assert!(unanswered.to_string().contains("BwcHBwcHBwcHBwcHBwcHBw"), "{unanswered}");
    assert_eq!(of(unanswered), (Exit::Failed, "device-not-told"));
    assert_eq!(of(PairError::from(PairingError::Taken)), (Exit::Failed, "pairing-taken"));
}

#[test]
fn edits_on_this_device() {
    for (error, ending) in [
        (ClientError::NoItem(item()), (Exit::Failed, "no-item")),
        (ClientError::NoVault(VAULT), (Exit::Failed, "no-vault")),
        (ClientError::NoFirstVault, (Exit::Failed, "no-vault")),
        (ClientError::NotInTrash(item()), (Exit::Failed, "not-in-trash")),
        (ClientError::ItemTooLarge { item_id: item(), length: 9 }, (Exit::Failed, "item")),
        (ItemError::TooLarge { found: 9 }.into(), (Exit::Failed, "item")),
        (LocalStoreError::Full.into(), (Exit::Failed, "profile")),
        (ClientError::KeyMissing(VAULT), (Exit::Failed, "profile")),
    ] {
        assert_eq!(of(error), ending);
    }
    assert_eq!(of(ItemError::ClockOutOfRange), (Exit::Failed, "item"));
}

#[test]
fn a_sync() {
    let commit = |source| SyncError::Commit { vault_id: VAULT, source };
    let unknown = CanonError::UpdateNeeded { field: "kind", value: 9 };
    for (error, ending) in [
        (commit(CommitError::Format(unknown)), (Exit::Failed, "update-needed")),
        (commit(CommitError::Digest), (Exit::Refused, "commit-refused")),
        (commit(CommitError::Role), (Exit::Refused, "commit-refused")),
        (SyncError::Behind { vault_id: VAULT, pinned: HEAD, served: HEAD }, (Exit::Refused, "server-behind")),
        (SyncError::Diverged { vault_id: VAULT, at: Seq(4) }, (Exit::Refused, "fork")),
        (SyncError::Withheld { vault_id: VAULT, what: Missing::Item(item()) }, (Exit::Refused, "withheld")),
        (SyncError::Blob { vault_id: VAULT, item_id: item() }, (Exit::Refused, "items-refused")),
        (SyncError::Counts { vault_id: VAULT }, (Exit::Refused, "items-refused")),
        (SyncError::Items { vault_id: VAULT }, (Exit::Refused, "items-refused")),
        (SyncError::Busy { vault_id: VAULT, refusals: 32 }, (Exit::Unreachable, "busy")),
        (
            SyncError::Full { vault_id: VAULT, room: None, source: Some(refused(ErrorCode::QuotaExceeded)) },
            (Exit::Failed, "account-full"),
        ),
        (
            SyncError::ServerFull { vault_id: VAULT, source: refused(ErrorCode::InsufficientStorage) },
            (Exit::Failed, "server-full"),
        ),
        (
            SyncError::TooManyVaults { source: refused(ErrorCode::TooManyVaults) },
            (Exit::Failed, "too-many-vaults"),
        ),
        (
            SyncError::VaultNotThere { vault_id: VAULT, by: DeviceId([1; 16]) },
            (Exit::Failed, "vault-not-there"),
        ),
        (SyncError::VaultsWouldEnd { vaults: [VAULT].into() }, (Exit::Failed, "vaults-would-end")),
        (SyncError::KeyMissing { vault_id: VAULT }, (Exit::Failed, "sync")),
        (SyncError::NotMade { vault_id: VAULT, what: "too large" }, (Exit::Failed, "sync")),
        (LocalStoreError::Full.into(), (Exit::Failed, "sync")),
    ] {
        assert_eq!(of(error), ending);
    }
}

#[test]
fn the_numbers_are_those_that_help_prints() {
    use Exit::{Attention, Done, Failed, Locked, Refused, Unreachable, Usage};
    for (number, exit) in
        [Done, Failed, Usage, Locked, Unreachable, Attention, Refused].into_iter().enumerate()
    {
        assert_eq!(exit as usize, number);
        assert!(EXIT_CODES.contains(&format!("\n  {number}  ")), "{number}");
    }
    let failure = Failure::failed("file", "the disk is full").after("2 items were saved.");
    assert_eq!(failure.message, "2 items were saved. The disk is full.");
    assert_eq!((failure.exit, Failure::usage("x").exit), (Failed, Usage));
}
