//! Who may make an account.

use lockstep_proto::hash::hash;
use lockstep_proto::ids::Hash;

use crate::secrets::ServerSecrets;
use crate::store::Admission;

/// Who may sign up once the server has its first account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupRule {
    /// Anybody.
    Open,
    /// Whoever holds an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// Who may make a server's first account, unless anybody may sign up anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstAccount {
    /// Whoever comes first: for servers that only their own machine reaches.
    Anyone,
    /// Whoever knows the set-up token, which is in the server's log.
    SetupToken,
}

/// Whether the operator restored the database from a backup, and wants back what it lacks: accounts, and removals of devices
/// that it has let write since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// No: an account that is not there comes back where anybody may sign up, and a removal where the device wrote nothing
    /// after it.
    No,
    /// Yes: whoever may sign up, and whatever was written.
    Yes,
}

/// All rules about accounts that are not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admissions {
    /// Who may make the first account.
    pub first: FirstAccount,
    /// Who may make one after it.
    pub rule: SignupRule,
    /// Whether accounts come back that a restored database lacks.
    pub restored: Restored,
}

impl Admissions {
    /// Nothing but a rule: whoever comes first may sign up, and no database was restored.
    pub fn unguarded(rule: SignupRule) -> Self {
        Self { first: FirstAccount::Anyone, rule, restored: Restored::No }
    }

    /// Whether the first account needs the set-up token.
    pub fn needs_token(self) -> bool {
        self.first == FirstAccount::SetupToken && self.rule != SignupRule::Open
    }

    /// How an account that devices give back comes in; `None`: not at all.
    pub(super) fn healing(self) -> Option<Admission> {
        match (self.rule, self.restored) {
            (SignupRule::Open, _) | (_, Restored::Yes) => Some(Admission::Anyone),
            // Anybody can make up an account to give back: to an empty server it would be a first one.
            (SignupRule::Invite | SignupRule::Closed, Restored::No) => {
                (self.first == FirstAccount::Anyone).then_some(Admission::FirstOnly)
            }
        }
    }
}

/// The set-up token: 22 characters of base64url, 128 bits. It follows from the secrets, so it is the same at every start and
/// on every node, and nothing keeps it; it is worth nothing while there is an account. (A database that is lost while the
/// secrets are kept makes it good again.)
pub fn setup_token(secrets: &ServerSecrets) -> String {
    let derived = hash("setup-token", &[secrets.expose_token_key()]);
    lockstep_proto::bytes::to_base64url(&derived.as_bytes()[..16])
}

/// What an invitation, or the set-up token, is compared by and kept as.
pub(super) fn invite_hash(code: &str) -> Hash {
    hash("invite", &[code.as_bytes()])
}
