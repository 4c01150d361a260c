//! Real commits, heals among them, for the nodes of a model: each made once, and each chain verified once for each state of
//! the account's log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use lockstep_proto::ids::{Epoch, Hash, Version};
use lockstep_proto::log::*;
use lockstep_proto::sign::Signed;

use super::fixture::{self, device_id, item_id, named, signing_key};

/// A commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u32);

/// The vault's genesis.
pub(super) const GENESIS: Id = Id(0);

/// What the account's log says: nobody was revoked, or the lost device with this cut-off.
pub(super) type Known = Option<Id>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Making {
    Write { parent: Id, author: usize, known: Known },
    Heal { parent: Id, fork: Id, side: Id, author: usize, known: Known },
}

struct Made {
    entry: Entry,
    /// Items of the chain that ends here.
    leaves: LeafMap,
    /// The latest genesis or heal on it.
    control: Hash,
}

pub(super) struct Chains(Mutex<Book>);

struct Book {
    made: Vec<Made>,
    ids: HashMap<Making, Id>,
    accounts: HashMap<Known, AccountState>,
    lines: HashMap<(Id, Known), Option<Arc<Line>>>,
}

impl Chains {
    pub(super) fn new() -> Self {
        let (account, entry) = fixture::account();
        let control = entry.commit.hash();
        let made = vec![Made { entry, leaves: LeafMap::default(), control }];
        let accounts = HashMap::from([(None, account)]);
        Self(Mutex::new(Book { made, ids: HashMap::new(), accounts, lines: HashMap::new() }))
    }

    /// The author's item gets its next version.
    pub(super) fn write(&self, parent: Id, author: u8, known: Known) -> Id {
        self.0.lock().unwrap().make(Making::Write { parent, author: author.into(), known })
    }

    /// Joins the chain that ends at `side` to the one that ends at `parent`.
    pub(super) fn heal(&self, parent: Id, fork: Id, side: Id, author: u8, known: Known) -> Id {
        self.0.lock().unwrap().make(Making::Heal { parent, fork, side, author: author.into(), known })
    }

    /// A chain in order from the genesis, if the verifier takes it: whole, with no cut-off open. `covered` is all that must
    /// count there, the sides of its heals included.
    pub(super) fn line(&self, chain: &[Id], covered: &[Id], known: Known) -> Option<Arc<Line>> {
        self.0.lock().unwrap().line(chain, covered, known)
    }

    pub(super) fn head(&self, id: Id) -> LogHead {
        self.0.lock().unwrap().head(id)
    }

    /// Whether one of these commits does not count on a line.
    pub(super) fn has_void(&self, line: &Line, commits: &[Id]) -> bool {
        commits.iter().any(|id| line.is_void(&self.head(*id).hash))
    }

    /// Whether a line takes one of these commits for what counts, on its chain or beside it.
    pub(super) fn takes(&self, line: &Line, commits: &[Id]) -> bool {
        let heads: Vec<LogHead> = commits.iter().map(|id| self.head(*id)).collect();
        let is_shown = |head: &LogHead| {
            let here = line.hash_at(head.seq) == Some(head.hash);
            here && line.items().values().any(|last| last.seq == head.seq && !last.is_void)
        };
        heads.iter().any(|head| is_shown(head) || !line.is_void(&head.hash))
    }
}

impl Book {
    fn get(&self, id: Id) -> &Made {
        &self.made[id.0 as usize]
    }

    fn head(&self, id: Id) -> LogHead {
        let commit = &self.get(id).entry.commit;
        commit.value().head(commit.hash())
    }

    fn account(&mut self, known: Known) -> AccountState {
        if !self.accounts.contains_key(&known) {
            let cut_off = known.map(|id| self.head(id)).unwrap();
            let revoked = fixture::revoke(&self.accounts[&None], 0, cut_off);
            self.accounts.insert(known, revoked);
        }
        self.accounts[&known].clone()
    }

    fn make(&mut self, making: Making) -> Id {
        if let Some(id) = self.ids.get(&making) {
            return *id;
        }
        let made = self.build(making);
        let id = Id(u32::try_from(self.made.len()).unwrap());
        self.made.push(made);
        self.ids.insert(making, id);
        id
    }

    fn build(&mut self, making: Making) -> Made {
        let (parent, author, known) = match making {
            Making::Write { parent, author, known } | Making::Heal { parent, author, known, .. } => {
                (parent, author, known)
            }
        };
        let account = self.account(known);
        let (head, before) = (self.head(parent), self.get(parent));
        let mut leaves = before.leaves.clone();
        let value = before.entry.commit.value();
        let mut commit = Commit {
            vault_id: vault_id_of(&self.made[0].entry.commit),
            seq: head.seq.next(),
            prev_hash: head.hash,
            kind: CommitKind::Content,
            epoch: Epoch(1),
            control_hash: before.control,
            author_account: account.account_id(),
            author_device: device_id(author),
            author_position: account.head(),
            time_ms: 0,
            digest: value.digest,
            live: value.live,
            tombstones: 0,
            observed: Vec::new(),
            body_hash: Hash::ZERO,
        };
        let body = match making {
            Making::Write { .. } => {
                let item_id = item_id(&format!("item of {author}"));
                let old = leaves.leaf(&item_id).copied();
                let old_version = old.map_or(Version(0), |leaf| leaf.version);
                let change = Change {
                    item_id,
                    old_version,
                    old_blob_hash: old.map_or(Hash::ZERO, |leaf| leaf.blob_hash),
                    new_version: old_version.next(),
                    new_blob_hash: named(&format!("{making:?}")),
                };
                commit.digest = change_digest(&commit.vault_id, &commit.digest, &[change]).unwrap();
                commit.live += u64::from(old.is_none());
                leaves.apply(&[change]);
                CommitBody::Content(ContentBody { changes: vec![change] })
            }
            Making::Heal { fork, side, .. } => {
                let (fork, end, control) = (self.head(fork), self.head(side), self.get(side).control);
                commit.kind = CommitKind::Heal;
                commit.seq = head.seq.max(end.seq).next();
                commit.control_hash = control;
                CommitBody::Heal(HealBody { fork, side: end, side_control_hash: control })
            }
        };
        commit.body_hash = body.hash();
        let control = (commit.kind == CommitKind::Content).then_some(before.control);
        let entry = Entry { commit: Signed::sign(commit, &signing_key(author)), body };
        Made { control: control.unwrap_or_else(|| entry.commit.hash()), entry, leaves }
    }

    fn line(&mut self, chain: &[Id], covered: &[Id], known: Known) -> Option<Arc<Line>> {
        let key = (*chain.last().unwrap(), known);
        if let Some(line) = self.lines.get(&key) {
            return line.clone();
        }
        let account = self.account(known);
        let entries = |ids: &[Id]| ids.iter().map(|id| self.get(*id).entry.clone()).collect::<Vec<_>>();
        let line = Line::verify(&entries(chain), &Sides::new(entries(covered)), &account).ok();
        let line = line.filter(|line| {
            let cut_offs = line.state().cut_offs(&account).unwrap();
            line.state().pending_cut_offs().is_empty()
                && cut_offs.contained.iter().all(|cut| line.covers(cut))
        });
        if let Some(line) = &line {
            assert!(covered.iter().all(|id| line.covers(&self.head(*id))));
            let beside = line.beside().iter().filter(|head| line.hash_at(head.seq) != Some(head.hash));
            assert_eq!(beside.count(), covered.len() - chain.len());
        }
        let line = line.map(Arc::new);
        self.lines.insert(key, line.clone());
        line
    }
}
