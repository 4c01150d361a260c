//! The two logs and their one verifier, used by server and client alike (protocol §4).
//!
//! An **account log** says which devices, vaults and recovery keys an account has; a **vault log** holds a vault's
//! membership and content in one line. Both are hash chains of signed structures.
//!
//! **Invariants:** a state is only ever made from a verified genesis and moved by verified entries; an entry of a
//! kind this program does not handle is an error that names an update, never skipped (R-SUITE).

mod account;
mod account_bodies;
mod author;
mod commit;
mod commit_bodies;
mod device;
mod error;
mod evidence;
mod former;
mod keys;
mod leaves;
mod line;
mod link;
mod reach;
mod reanchor;
mod recovery;
mod rekey;
mod rekey_bodies;
mod seen;
mod sides;
mod sign_in;
mod vault;

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::canon::{Canon, CanonError, Decoder, Encoder};
use crate::ids::{Hash, Seq, VaultId};

pub use account::{AccountState, AccountVault, Announced, NamedEpoch, NamedSlot};
pub use account_bodies::{
    AuthUpdate, DeviceAdd, Enrolment, GenesisLink, LinkBody, LinkKind, VaultCreate, VaultJoin, VaultLeave,
};
pub use author::{AccountStates, ClosedAccounts};
pub use commit::{Commit, CommitKind, Entry, vault_id_of};
pub use commit_bodies::{
    Change, CommitBody, ContentBody, ControlBody, GenesisCommit, HealBody, Member, Role,
};
pub use device::{Device, Revocation};
pub use error::{CommitError, LinkError};
pub use evidence::{
    BRANCH_LIMIT, Branches, CONTROL_LIMIT, EVIDENCE_LIMIT, EvidenceError, ForkEvidence, ForkProof,
    ForkStatement, Witness,
};
pub use former::FormerArk;
pub use keys::{DevicePublicKeys, KemKey, RecoveryPublicKeys};
pub use leaves::{LeafMap, change_digest};
pub use line::{LastChange, Line};
pub use link::{AccountLink, Signer};
pub use reanchor::{Anchor, Anchored, Distrusted, Reanchor};
pub use rekey_bodies::{DeviceSlot, Recover, RecoveryChange, Rekey, RekeyReason, VaultSlot};
pub use sides::{Sides, lineage};
pub use vault::{CutOffs, Join, MemberState, VaultState};

/// Upper bound of the vaults of one account.
pub const VAULTS_LIMIT: usize = 256;
/// Upper bound of the devices that one account ever had, recovered ones aside.
pub const DEVICES_LIMIT: usize = 1_024;
/// Upper bound of them all: room is kept for recoveries, so that no hostile device can use it up.
pub const ALL_DEVICES_LIMIT: usize = DEVICES_LIMIT + 64;
/// Upper bound of an account log's links, rekeys and recoveries aside.
pub const LINKS_LIMIT: usize = 1 << 16;
/// Upper bound of its rekeys, which have room of their own: each brings a key of every vault, which the state keeps.
pub const REKEYS_LIMIT: usize = 1_024;
/// Upper bound of its re-anchors: each keeps known what was revoked before it.
pub const REANCHORS_LIMIT: usize = 256;
/// Upper bound of its recoveries: no rekeys use up the room of these.
pub const RECOVERIES_LIMIT: usize = 1_024;
/// Upper bound of them all.
pub const ALL_LINKS_LIMIT: usize = LINKS_LIMIT + REKEYS_LIMIT + RECOVERIES_LIMIT;
/// Upper bound of the members of one vault.
pub const MEMBERS_LIMIT: usize = 1_024;
/// Upper bound of the changes in one commit.
pub const CHANGES_LIMIT: usize = 1_024;
/// Upper bound of the heads that one commit observes.
pub const OBSERVED_LIMIT: usize = 32;
/// Upper bound of a sealed field inside a link or commit, in bytes.
pub const SEALED_LIMIT: usize = 4_096;
/// How long a vault key that a rekey seals may be, in bytes: one of every vault fits into a link.
pub const VAULT_KEY_SEALED_LIMIT: usize = 512;
/// Upper bound of a link's or commit's signed bytes.
pub const ENTRY_LIMIT: usize = 1 << 19;

/// The last time that a log can name, in milliseconds since 1970: the year 10889.
pub const LATEST_MS: u64 = (1 << 48) - 1;

/// A time that somebody's clock said: informative, and bounded so that every reader can show it.
fn time_ms(input: &mut Decoder<'_>) -> Result<u64, CanonError> {
    input.u64().and_then(|ms| if ms <= LATEST_MS { Ok(ms) } else { Err(CanonError::Invalid("time_ms")) })
}

/// A position in a log and the hash of the entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct LogHead {
    /// The entry's position; the genesis is 0.
    pub seq: Seq,
    /// The entry's hash.
    pub hash: Hash,
}

impl Canon for LogHead {
    fn encode(&self, out: &mut Encoder) {
        self.seq.encode(out);
        self.hash.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { seq: Canon::decode(input)?, hash: Canon::decode(input)? })
    }
}

/// A vault's head as some device has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VaultHead {
    /// The vault.
    pub vault_id: VaultId,
    /// Its head.
    pub head: LogHead,
}

impl Canon for VaultHead {
    fn encode(&self, out: &mut Encoder) {
        self.vault_id.encode(out);
        self.head.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self { vault_id: Canon::decode(input)?, head: Canon::decode(input)? })
    }
}
