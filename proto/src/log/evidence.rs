//! Fork evidence (P5): two histories of one log, each valid by itself, and a device's signed word that it was shown both.
//!
//! An honest server has one history of a log. A device signs nothing on a head that it was not given, so two verified
//! branches after one commit, of which a device says that it held the one when it was served the other, convict the server
//! to anybody: everything needed is in the file, and every bit of it is verified.
//!
//! What it does not prove: which branch came first, or that the devices of the account do not lie together. A branch of a
//! single commit may be one that lost the race for its place and was never accepted, and one device can make two branches
//! alone: its word convicts nobody. [`ForkProof::is_continued`] says whether on each branch another device went on. Who
//! judges looks into the account's newest log, too: a device that was removed since may have signed it.

use std::collections::BTreeMap;

use super::account::AccountState;
use super::commit::{Commit, Entry};
use super::commit_bodies::CommitBody;
use super::error::{CommitError, LinkError};
use super::link::{AccountLink, Signer};
use super::vault::VaultState;
use super::{ALL_LINKS_LIMIT, ENTRY_LIMIT, LogHead, MEMBERS_LIMIT, VaultHead, time_ms};
use crate::canon::{self, Canon, CanonError, Decoder, Encoder};
use crate::ids::{AccountId, DeviceId, Hash, Seq, VaultId};
use crate::sign::{SignatureError, Signed, Structure};

/// Commits of one branch that evidence carries, at most: the first ones after the fork.
pub const BRANCH_LIMIT: usize = 256;
/// Control commits that evidence carries, at most.
pub const CONTROL_LIMIT: usize = 1 << 16;
/// Upper bound of a file of evidence, in bytes.
pub const EVIDENCE_LIMIT: usize = 1 << 27;

/// What a device says about the fork it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkStatement {
    /// The account of the device.
    pub account_id: AccountId,
    /// The device.
    pub device_id: DeviceId,
    /// The account's log as the device had it: it was authorised there.
    pub position: LogHead,
    /// The vault; zero where the account's own log is forked.
    pub vault_id: VaultId,
    /// The last entry of the branch that the device had been given, as far as the evidence carries it.
    pub held: LogHead,
    /// The last entry of the branch that it was served then, as far as the evidence carries it.
    pub served: LogHead,
    /// When, by the device's clock, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Structure for ForkStatement {
    const LABEL: &'static str = "fork-statement";
    const HASH_LABEL: &'static str = "fork-statement-hash";
    const LIMIT: usize = 512;
}

impl Canon for ForkStatement {
    fn encode(&self, out: &mut Encoder) {
        self.account_id.encode(out);
        self.device_id.encode(out);
        self.position.encode(out);
        self.vault_id.encode(out);
        self.held.encode(out);
        self.served.encode(out);
        out.u64(self.time_ms);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(Self {
            account_id: Canon::decode(input)?,
            device_id: Canon::decode(input)?,
            position: Canon::decode(input)?,
            vault_id: Canon::decode(input)?,
            held: Canon::decode(input)?,
            served: Canon::decode(input)?,
            time_ms: time_ms(input)?,
        })
    }
}

/// The two branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branches {
    /// Of a vault's log.
    Vault {
        /// Genesis, control commits, and the last commit that both branches share: what says who may write.
        common: Vec<Entry>,
        /// The commits after it that the device had been given.
        held: Vec<Entry>,
        /// The commits after it that it was served then.
        served: Vec<Entry>,
    },
    /// Of a vault's log, where only the head of the other branch is known: a device of the account says in something that it
    /// signed that it had been given it.
    Claimed {
        /// Genesis, control commits, and the commit in whose place the other branch has another one.
        held: Vec<Entry>,
        /// What the other device signed.
        witness: Witness,
    },
    /// Of the device's own account log, of which `accounts` holds the links that both share.
    Account {
        /// The links after them that the device had been given.
        held: Vec<Signed<AccountLink>>,
        /// The links after them that it was served then.
        served: Vec<Signed<AccountLink>>,
    },
}

/// Where a device names the head of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// In the heads of a link of the account's log, at this position.
    Link(Seq),
    /// In what a commit of another vault observed.
    Commit(Box<Signed<Commit>>),
}

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The logs of the accounts that write there, each from its genesis, the device's own first.
    pub accounts: Vec<Vec<Signed<AccountLink>>>,
    /// The two branches.
    pub branches: Branches,
    /// The device's word.
    pub statement: Signed<ForkStatement>,
}

/// What evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForkProof {
    /// The device's statement, verified.
    pub statement: ForkStatement,
    /// The last entry that both branches share; where only a head of the other one is known, the entry in whose place it is.
    pub fork: LogHead,
    /// Whether on each branch another device than the one that states this signed after the first entry: then it was given
    /// that branch.
    pub is_continued: bool,
}

/// Why a file is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The file cannot be read.
    #[error("the file is no fork evidence, or was changed: {0}")]
    Format(#[from] CanonError),
    /// A link does not verify.
    #[error("a link in the evidence does not verify: {0}")]
    Link(#[from] LinkError),
    /// A commit does not verify.
    #[error("a commit in the evidence does not verify: {0}")]
    Commit(#[from] CommitError),
    /// The device's statement does not verify.
    #[error("the device's statement does not verify: {0}")]
    Signature(#[from] SignatureError),
    /// The parts do not belong together.
    #[error("the evidence does not show a fork: {0}")]
    NoFork(&'static str),
}

impl ForkEvidence {
    /// Verifies everything, with nothing but the file.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn verify(&self) -> Result<ForkProof, EvidenceError> {
        let mut accounts = BTreeMap::new();
        for links in &self.accounts {
            let state = AccountState::from_links(links)?;
            accounts.insert(state.account_id(), state);
        }
        let statement = *self.statement.value();
        let own = accounts.get(&statement.account_id);
        let own = own.ok_or(EvidenceError::NoFork("it lacks the log of the device's account"))?;
        let (fork, held, served, is_continued) = match &self.branches {
            Branches::Vault { common, held, served } => {
                let base = base(common, &accounts)?;
                if base.vault_id() != statement.vault_id {
                    return Err(EvidenceError::NoFork("the statement is about another vault"));
                }
                let ends = (walk(&base, held, &accounts)?, walk(&base, served, &accounts)?);
                differ(held.first().map(entry_hash), served.first().map(entry_hash))?;
                let others = [held, served].map(|branch| {
                    let mut later = branch.iter().skip(1);
                    later.any(|entry| entry.commit.value().author_device != statement.device_id)
                });
                (base.head(), ends.0, ends.1, others == [true, true])
            }
            Branches::Claimed { held, witness } => {
                let head = base(held, &accounts)?;
                if head.vault_id() != statement.vault_id {
                    return Err(EvidenceError::NoFork("the statement is about another vault"));
                }
                let claimed = VaultHead { vault_id: statement.vault_id, head: statement.served };
                let place = (head.head().seq, head.head().hash);
                if claimed.head.seq != place.0 || claimed.head.hash == place.1 {
                    return Err(EvidenceError::NoFork("both heads are of one branch"));
                }
                self.check_witness(witness, &claimed, &accounts)?;
                (head.head(), head.head(), claimed.head, false)
            }
            Branches::Account { held, served } => {
                if !statement.vault_id.is_zero() {
                    return Err(EvidenceError::NoFork("the statement is about a vault"));
                }
                let ends = (walk_links(own, held)?, walk_links(own, served)?);
                differ(held.first().map(Signed::hash), served.first().map(Signed::hash))?;
                let others = [held, served].map(|branch| {
                    let mut later = branch.iter().skip(1);
                    later.any(|link| link.value().signer != Signer::Device(statement.device_id))
                });
                (own.head(), ends.0, ends.1, others == [true, true])
            }
        };
        if (held, served) != (statement.held, statement.served) {
            return Err(EvidenceError::NoFork("the statement is about other branches"));
        }
        let device =
            own.device(&statement.device_id).ok_or(EvidenceError::NoFork("the device is unknown"))?;
        let known = own.hash_at(statement.position.seq) == Some(statement.position.hash);
        if !known || !device.is_authorised_after(statement.position.seq) {
            return Err(EvidenceError::NoFork("the device was not authorised"));
        }
        self.statement.verify(&device.keys().signing)?;
        Ok(ForkProof { statement, fork, is_continued })
    }

    /// Whether what the other device signed names this head.
    fn check_witness(
        &self,
        witness: &Witness,
        claimed: &VaultHead,
        accounts: &BTreeMap<AccountId, AccountState>,
    ) -> Result<(), EvidenceError> {
        let unnamed = EvidenceError::NoFork("nobody names the other head");
        let named = match witness {
            Witness::Link(seq) => {
                // Every link was verified with its log.
                let links = self.accounts.first().ok_or(unnamed.clone())?;
                let link = links.iter().find(|link| link.value().seq == *seq);
                let by = Signer::Device(self.statement.value().device_id);
                link.is_some_and(|link| link.value().signer != by && link.value().heads.contains(claimed))
            }
            Witness::Commit(commit) => {
                let value = commit.value();
                let account = accounts.get(&value.author_account).ok_or(unnamed.clone())?;
                let device = account.device(&value.author_device).ok_or(unnamed.clone())?;
                let position = value.author_position;
                let known = account.hash_at(position.seq) == Some(position.hash);
                commit.verify(&device.keys().signing)?;
                let is_other = value.author_device != self.statement.value().device_id;
                is_other
                    && known
                    && device.is_authorised_after(position.seq)
                    && value.observed.contains(claimed)
            }
        };
        if named { Ok(()) } else { Err(unnamed) }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        canon::to_bytes(self)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`EvidenceError::Format`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_LIMIT {
            return Err(CanonError::TooLong { found: bytes.len(), limit: EVIDENCE_LIMIT }.into());
        }
        Ok(canon::from_bytes(bytes)?)
    }
}

fn entry_hash(entry: &Entry) -> Hash {
    entry.commit.hash()
}

fn differ(held: Option<Hash>, served: Option<Hash>) -> Result<(), EvidenceError> {
    match (held, served) {
        (Some(held), Some(served)) if held != served => Ok(()),
        (Some(_), Some(_)) => Err(EvidenceError::NoFork("both branches begin alike")),
        _ => Err(EvidenceError::NoFork("a branch is empty")),
    }
}

fn base(common: &[Entry], accounts: &BTreeMap<AccountId, AccountState>) -> Result<VaultState, EvidenceError> {
    let (genesis, rest) = common.split_first().ok_or(EvidenceError::NoFork("it has no genesis"))?;
    let mut state = VaultState::from_genesis(genesis, accounts)?;
    for entry in rest {
        state = state.skip_to(entry, accounts)?;
    }
    Ok(state)
}

fn walk(
    base: &VaultState,
    branch: &[Entry],
    accounts: &BTreeMap<AccountId, AccountState>,
) -> Result<LogHead, EvidenceError> {
    let mut state = base.clone();
    for entry in branch {
        // A heal's own side need not be at hand: it is a commit that its author signed on this branch.
        state = match entry.body {
            CommitBody::Heal(_) => state.skip_to(entry, accounts)?,
            _ => state.apply(entry, accounts)?,
        };
    }
    Ok(state.head())
}

fn walk_links(base: &AccountState, branch: &[Signed<AccountLink>]) -> Result<LogHead, EvidenceError> {
    let mut state = base.clone();
    for link in branch {
        state = state.apply(link)?;
    }
    Ok(state.head())
}

impl Canon for Entry {
    fn encode(&self, out: &mut Encoder) {
        self.commit.encode(out);
        out.bytes(&self.body.to_bytes());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let commit: Signed<Commit> = Canon::decode(input)?;
        let body = input.bytes(ENTRY_LIMIT)?;
        let (kind, named) = (commit.value().kind, commit.value().body_hash);
        if CommitBody::hash_bytes(kind, body) != named {
            return Err(CanonError::Invalid("commit body"));
        }
        Ok(Self { body: CommitBody::from_bytes(kind, body)?, commit })
    }
}

const LABEL: &str = "fork-evidence";

fn list<T: Canon>(input: &mut Decoder<'_>, limit: usize) -> Result<Vec<T>, CanonError> {
    let count = usize::try_from(input.u32()?).unwrap_or(usize::MAX);
    if count > limit {
        return Err(CanonError::TooLong { found: count, limit });
    }
    (0..count).map(|_| T::decode(input)).collect()
}

impl Canon for ForkEvidence {
    fn encode(&self, out: &mut Encoder) {
        out.label(LABEL);
        out.u8(crate::SUITE);
        out.u32(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
        for links in &self.accounts {
            out.list(links);
        }
        match &self.branches {
            Branches::Vault { common, held, served } => {
                out.u8(1);
                out.list(common);
                out.list(held);
                out.list(served);
            }
            Branches::Claimed { held, witness } => {
                out.u8(3);
                out.list(held);
                match witness {
                    Witness::Link(seq) => {
                        out.u8(1);
                        seq.encode(out);
                    }
                    Witness::Commit(commit) => {
                        out.u8(2);
                        commit.encode(out);
                    }
                }
            }
            Branches::Account { held, served } => {
                out.u8(2);
                out.list(held);
                out.list(served);
            }
        }
        self.statement.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        input.label(LABEL)?;
        input.suite()?;
        let count = usize::try_from(input.u32()?).unwrap_or(usize::MAX);
        if count > MEMBERS_LIMIT {
            return Err(CanonError::TooLong { found: count, limit: MEMBERS_LIMIT });
        }
        let accounts = (0..count).map(|_| list(input, ALL_LINKS_LIMIT)).collect::<Result<_, _>>()?;
        let branches = match input.u8()? {
            1 => Branches::Vault {
                common: list(input, CONTROL_LIMIT)?,
                held: list(input, BRANCH_LIMIT)?,
                served: list(input, BRANCH_LIMIT)?,
            },
            2 => Branches::Account { held: list(input, BRANCH_LIMIT)?, served: list(input, BRANCH_LIMIT)? },
            3 => {
                let held = list(input, CONTROL_LIMIT)?;
                let witness = match input.u8()? {
                    1 => Witness::Link(Canon::decode(input)?),
                    2 => Witness::Commit(Box::new(Canon::decode(input)?)),
                    _ => return Err(CanonError::Invalid("witness")),
                };
                Branches::Claimed { held, witness }
            }
            other => {
                return Err(CanonError::UpdateNeeded { field: "branches", value: u32::from(other) });
            }
        };
        Ok(Self { accounts, branches, statement: Canon::decode(input)? })
    }
}
