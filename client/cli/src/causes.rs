//! What each failure below means for a script: its stable code and exit code. The sentence is the failure's own.

use lockstep_client::account::{
    AccountError, PairingError, ProfileError, RecoverError, SignInError, SignUpError,
};
use lockstep_client::api::{ApiError, ServerWords};
use lockstep_client::client::{AcceptError, ClientError, LifeCycleError, PairError};
use lockstep_client::crypto::pairing::PairingMessageError;
use lockstep_client::item::ItemError;
use lockstep_client::ports::TransportError;
use lockstep_client::proto::api::ErrorCode;
use lockstep_client::proto::canon::CanonError;
use lockstep_client::proto::log::{CommitError, LinkError};
use lockstep_client::sync::SyncError;

use crate::exit::Exit;
use crate::failure::Failure;

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let server = ServerWords::of(&error).cloned();
        let failure = match &error {
            ApiError::Transport(TransportError::Insecure(_)) => {
                Self::new(Exit::Refused, "insecure-connection", &error)
            }
            ApiError::Transport(_) => Self::new(Exit::Unreachable, "server-unreachable", &error),
            ApiError::Garbage { .. } => Self::new(
                Exit::Unreachable,
                "not-understood",
                format!("{error} Nothing on this device has changed"),
            ),
            ApiError::Refused { problem, .. } if problem.code == ErrorCode::Unauthenticated => Self::new(
                Exit::Locked,
                problem.code.as_str(),
                "The server does not take this device's session, also not a new one. Your vault and your changes are kept on this device; run `lockstep sync` again",
            ),
            ApiError::Refused { problem, .. } => {
                Self::new(problem_exit(problem.code), problem.code.as_str(), &error)
            }
            _ => Self::failed("request-too-large", &error),
        };
        failure.said(server)
    }
}

fn problem_exit(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::Unauthenticated
        | ErrorCode::SigninFailed
        | ErrorCode::ChallengeFailed
        | ErrorCode::RecoveryFailed
        | ErrorCode::DeviceRevoked => Exit::Locked,
        ErrorCode::TooManyAttempts | ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::Unknown => {
            Exit::Unreachable
        }
        _ => Exit::Failed,
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        match &error {
            ProfileError::TooManyGuesses { .. } => Self::new(Exit::Locked, "too-many-guesses", error),
            ProfileError::WrongPassword => {
                let before = "if the account's password was changed on another device, the one before still opens this \
                              one, until `lockstep password confirm` makes it the new one";
                Self::new(Exit::Locked, "wrong-password", format!("{error}; {before}"))
            }
            ProfileError::WrongKey => Self::new(Exit::Locked, "wrong-key", error),
            ProfileError::Missing => Self::failed("no-account", error),
            ProfileError::Exists => Self::failed("account-exists", error),
            ProfileError::Unfinished(_) => Self::failed("unfinished", error),
            ProfileError::Newer { .. } => Self::failed("update-needed", error),
            _ => Self::failed("profile", error),
        }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Api(error) => error.into(),
            AccountError::Profile(error) => error.into(),
            AccountError::Link(LinkError::UpdateNeeded(_)) => Self::failed("update-needed", error),
            AccountError::Link(_) => Self::new(Exit::Refused, "log-refused", broken("R-LOG", &error)),
            AccountError::OtherAccount => Self::new(Exit::Refused, "other-account", broken("R-LOG", &error)),
            AccountError::Behind { .. } => {
                Self::new(Exit::Refused, "server-behind", broken("R-HEAL", &error))
            }
            AccountError::Diverged { .. } => Self::new(Exit::Refused, "fork", broken("R-LOG", &error)),
            AccountError::Withheld { .. } | AccountError::SlotMissing { .. } => {
                Self::new(Exit::Refused, "withheld", error)
            }
            AccountError::Slot(_) => Self::new(Exit::Refused, "slot-refused", error),
            AccountError::ServerKey => Self::new(Exit::Refused, "server-key", error),
            AccountError::DevicesJoined { .. } => Self::failed("devices-joined", error),
            AccountError::KeysMovedOn => Self::new(Exit::Refused, "keys-withheld", error),
            AccountError::CutOffPassed => Self::failed("not-removed", error),
            AccountError::VaultNotThere => Self::failed("vault-not-there", error),
            AccountError::RecoveryTooEarly { .. } => Self::failed("recovery-too-early", error),
            AccountError::NoneAnnounced => Self::failed("none-announced", error),
            AccountError::OtherAnnounced => Self::new(Exit::Locked, "other-announced", error),
            AccountError::SheetUnshown => Self::failed("sheet-unshown", error),
            AccountError::OtherRecoveryKey => Self::new(Exit::Locked, "other-recovery-key", error),
            AccountError::DeviceRevoked => Self::new(Exit::Locked, "device-revoked", error),
            _ => Self::failed("account", error),
        }
    }
}

impl From<SignUpError> for Failure {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::Account(error) => error.into(),
            SignUpError::Closed => Self::failed("signup-closed", error),
            SignUpError::InviteNeeded => Self::failed("invite-needed", error),
            SignUpError::Protocol { .. } => Self::failed("update-needed", error),
            SignUpError::ServerKey | SignUpError::OtherAccount => {
                Self::new(Exit::Refused, "server-key", error)
            }
            _ => Self::failed("signup", error),
        }
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Account(error) => error.into(),
            SignInError::Refused => Self::new(Exit::Locked, "signin-refused", error),
            SignInError::Stretch => Self::failed("memory", error),
            SignInError::AccountChanged => Self::failed("account-changed", error),
            SignInError::WeakerStretching { .. } => {
                Self::new(Exit::Refused, "weaker-stretching", broken("R-KDF", &error))
            }
            _ => Self::new(Exit::Refused, "signin-answer", error),
        }
    }
}

impl From<PairingError> for Failure {
    fn from(error: PairingError) -> Self {
        // A device that was added and not told has a call behind it, too.
        let server = ServerWords::of(&error).cloned();
        let failure = match error {
            PairingError::Account(error) => error.into(),
            PairingError::SignIn(error) => error.into(),
            PairingError::Message(PairingMessageError::UpdateNeeded(_)) => {
                Self::failed("update-needed", error)
            }
            PairingError::Message(_) => Self::new(Exit::Refused, "pairing-refused", error),
            PairingError::Ended => Self::failed("no-pairing", error),
            PairingError::NoAnswer => Self::failed("no-answer", error),
            PairingError::Taken => Self::failed("pairing-taken", error),
            PairingError::AccountChanged => Self::failed("account-changed", error),
            PairingError::WrongPassword => Self::new(Exit::Locked, "wrong-password", error),
            PairingError::Unanswered { .. } => Self::failed("device-not-told", error),
            PairingError::OtherLink => Self::new(Exit::Refused, "other-link", broken("R-LOG", &error)),
            PairingError::OtherServer => Self::new(Exit::Refused, "other-server", error),
            _ => Self::failed("pairing", error),
        };
        failure.said(server)
    }
}

impl From<PairError> for Failure {
    fn from(error: PairError) -> Self {
        match error {
            PairError::Sync(error) => error.into(),
            PairError::Pairing(error) => error.into(),
            _ => Self::failed("pairing", error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NoItem(_) => Self::failed("no-item", error),
            ClientError::NoVault(_) | ClientError::NoFirstVault => Self::failed("no-vault", error),
            ClientError::NotInTrash(_) => Self::failed("not-in-trash", error),
            ClientError::ItemTooLarge { .. } | ClientError::Item(_) => Self::failed("item", error),
            _ => Self::failed("profile", error),
        }
    }
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Account(error) => error.into(),
            RecoverError::Refused => Self::new(Exit::Locked, "recovery-refused", error),
            RecoverError::OtherKey => Self::new(Exit::Refused, "log-refused", broken("R-LOG", &error)),
            _ => Self::new(Exit::Refused, "other-server", error),
        }
    }
}

impl From<LifeCycleError> for Failure {
    fn from(error: LifeCycleError) -> Self {
        match error {
            LifeCycleError::Sync(error) => error.into(),
            _ => Self::failed("device", error),
        }
    }
}

impl From<ItemError> for Failure {
    fn from(error: ItemError) -> Self {
        Self::failed("item", error)
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Account(error) => error.into(),
            SyncError::Api(error) => error.into(),
            SyncError::SignIn(error) => (*error).into(),
            SyncError::NotThePassword => {
                let confirm = "nothing was changed: run `lockstep password confirm`, which makes the new one open this \
                               device, and try again with that";
                Self::new(Exit::Locked, "not-the-password", format!("{error}; {confirm}"))
            }
            SyncError::Commit { source: CommitError::Format(CanonError::UpdateNeeded { .. }), .. } => {
                Self::failed("update-needed", error)
            }
            SyncError::Commit { source: CommitError::Author(_) | CommitError::CutOff { .. }, .. } => {
                let heal = "if the server was restored from a backup since a device was removed, see `lockstep heal`";
                Self::new(Exit::Refused, "commit-refused", format!("{}; {heal}", named(&error)))
            }
            SyncError::Commit { .. } => Self::new(Exit::Refused, "commit-refused", named(&error)),
            SyncError::Behind { .. } => Self::new(Exit::Refused, "server-behind", named(&error)),
            SyncError::Diverged { .. } => {
                let heal = "if the server was restored from a backup, `lockstep heal` goes on from what it has, and loses nothing of what is here";
                Self::new(Exit::Refused, "fork", format!("{}; {heal}", named(&error)))
            }
            SyncError::OtherHistory { .. } => Self::new(Exit::Refused, "fork", error),
            SyncError::NothingToAccept { .. } => Self::failed("nothing-to-accept", error),
            SyncError::NotAccepted { .. } => Self::new(Exit::Refused, "not-accepted", named(&error)),
            SyncError::Withheld { .. } => Self::new(Exit::Refused, "withheld", named(&error)),
            SyncError::Blob { .. } | SyncError::Counts { .. } | SyncError::Items { .. } => {
                Self::new(Exit::Refused, "items-refused", named(&error))
            }
            SyncError::Busy { .. } => Self::new(Exit::Unreachable, "busy", error),
            SyncError::Full { ref source, .. } => of_full("account-full", &error, source.as_ref()),
            SyncError::ServerFull { ref source, .. } => of_full("server-full", &error, Some(source)),
            SyncError::TooManyVaults { ref source } => of_full("too-many-vaults", &error, Some(source)),
            SyncError::VaultNotThere { .. } => Self::failed("vault-not-there", error),
            SyncError::VaultsWouldEnd { .. } => Self::failed("vaults-would-end", error),
            _ => Self::failed("sync", error),
        }
    }
}

/// What somebody else has to make room for, with what the server says of it.
fn of_full(code: &'static str, error: &SyncError, source: Option<&ApiError>) -> Failure {
    Failure::failed(code, error).said(source.and_then(|source| ServerWords::of(source)).cloned())
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Profile(error) => error.into(),
            AcceptError::Sync(error) => error.into(),
            error => Self::failed("sync", error),
        }
    }
}

/// The error, with the protocol's name for the rule that the server's answer breaks.
fn named(error: &SyncError) -> String {
    error.rule().map_or_else(|| error.to_string(), |rule| broken(rule, error))
}

fn broken(rule: &str, error: &dyn std::fmt::Display) -> String {
    format!("{error} (rule broken: {rule})")
}

#[cfg(test)]
mod tests {
    use lockstep_client::proto::api::Problem;
    use lockstep_client::proto::ids::VaultId;

    use super::*;

    fn of(error: impl Into<Failure>) -> (Exit, &'static str) {
        let failure = error.into();
        (failure.exit, failure.code)
    }

    #[test]
    fn a_server_that_is_away_or_broken_is_worth_another_try() {
        assert_eq!(
            of(ApiError::Transport(TransportError::TimedOut)),
            (Exit::Unreachable, "server-unreachable")
        );
        let refused = |code| ApiError::from(Problem::new(code, "sorry"));
        assert_eq!(of(refused(ErrorCode::Unavailable)), (Exit::Unreachable, "unavailable"));
        assert_eq!(of(refused(ErrorCode::Internal)), (Exit::Unreachable, "internal"));
        assert_eq!(of(refused(ErrorCode::DeviceRevoked)), (Exit::Locked, "device-revoked"));
        assert_eq!(of(refused(ErrorCode::QuotaExceeded)), (Exit::Failed, "quota-exceeded"));
    }

    #[test]
    fn a_verification_failure_names_its_rule() {
        let failure: Failure =
            SyncError::Commit { vault_id: VaultId([1; 32]), source: CommitError::Digest }.into();
        assert_eq!((failure.exit, failure.code), (Exit::Refused, "commit-refused"));
        assert!(
            failure.message.contains("R-DIGEST") && failure.message.contains("edits wait here"),
            "{failure}"
        );
    }

    #[test]
    fn wrong_passwords_have_an_exit_code_of_their_own() {
        assert_eq!(of(ProfileError::WrongPassword), (Exit::Locked, "wrong-password"));
        assert_eq!(of(SignInError::Refused), (Exit::Locked, "signin-refused"));
    }
}
