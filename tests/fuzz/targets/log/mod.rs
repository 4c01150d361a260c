//! The verifier: links and commits of anybody, in any order, some of them mended so that they get far.
//!
//! An input is a list of records: a tag, and a link's or an entry's bytes. What the tag asks for is mended as a hostile
//! member could: moved to the head, made to fit the state, signed with a true key.

mod mend;

use lockstep_proto::log::{
    AccountLink, AccountState, Commit, CommitBody, Entry, LeafMap, Line, LogHead, Sides, VaultState,
};
use lockstep_proto::sign::Signed;

use super::seeds::{Fields, cases, field, unhex};
use mend::Keys;

/// The record is an entry of a vault's log, not a link.
const COMMIT: u8 = 1;
/// It is moved to the head and signed with the key of whom it names.
const MEND: u8 = 2;
/// What it says is made to fit the state.
const FIT: u8 = 4;
/// The entry comes as the last commit of a first sync.
const SKIP: u8 = 8;
/// Records of one input that are looked at.
const RECORDS: usize = 24;

pub(crate) fn run(input: &[u8]) {
    World::after(input).check();
}

struct World {
    keys: &'static Keys,
    links: Vec<Signed<AccountLink>>,
    account: Option<AccountState>,
    vault: Option<VaultState>,
    leaves: LeafMap,
    /// Every entry was applied, none skipped to: the leaves are all there.
    whole: bool,
    /// The chain, while it is whole.
    chain: Vec<Entry>,
    /// Whatever was read.
    read: Vec<Entry>,
}

impl World {
    fn new() -> Self {
        let leaves = LeafMap::default();
        let (links, chain, read) = (Vec::new(), Vec::new(), Vec::new());
        Self { keys: Keys::get(), links, account: None, vault: None, leaves, whole: true, chain, read }
    }

    fn after(input: &[u8]) -> Self {
        let mut world = Self::new();
        let mut fields = Fields(input);
        for _ in 0..RECORDS {
            let (tag, bytes) = (fields.byte(), fields.field());
            if tag & COMMIT == 0 { world.link(tag, bytes) } else { world.entry(tag, bytes) }
        }
        world
    }

    fn link(&mut self, tag: u8, bytes: &[u8]) {
        let Ok(link) = Signed::<AccountLink>::from_wire(bytes) else { return };
        let link = if tag & MEND == 0 { link } else { self.mended_link(link, tag & FIT != 0) };
        let next = match &self.account {
            None => AccountState::from_genesis(&link),
            Some(account) => account.apply(&link),
        };
        let Ok(next) = next else { return };
        if let Some(before) = &self.account {
            assert!(next.account_id() == before.account_id(), "a log stays one account's");
            assert!(next.head().seq == before.head().seq.next() && next.hash_at(before.head().seq).is_some());
            assert!(next.security_version() >= before.security_version());
            assert!(next.generation() >= before.generation() && next.uek().0 >= before.uek().0);
            let gone = before.devices().iter().filter(|(_, device)| !device.is_active());
            assert!(
                gone.into_iter().all(|(id, _)| !next.device(id).unwrap().is_active()),
                "revoked for good"
            );
        }
        assert!(next.head() == LogHead { seq: link.value().seq, hash: link.hash() });
        self.account = Some(next);
        self.links.push(link);
    }

    fn mended_link(&self, link: Signed<AccountLink>, fit: bool) -> Signed<AccountLink> {
        let mut value = link.value().clone();
        if let Some(account) = &self.account {
            mend::move_link(&mut value, account, self.vault.as_ref());
            if fit {
                mend::fit_link(&mut value, account, self.vault.as_ref());
            }
        }
        self.keys.sign_link(value, self.account.as_ref())
    }

    fn entry(&mut self, tag: u8, bytes: &[u8]) {
        let Some(account) = &self.account else { return };
        let Some(entry) = read_entry(bytes) else { return };
        let entry = if tag & MEND == 0 {
            entry
        } else {
            let leaves = (tag & FIT != 0).then_some(&self.leaves);
            self.keys.sign_entry(entry, account, self.vault.as_ref(), leaves)
        };
        self.read.push(entry.clone());
        let next = match &self.vault {
            None => VaultState::from_genesis(&entry, account),
            Some(vault) if tag & SKIP != 0 => vault.skip_to(&entry, account),
            Some(vault) => vault.apply(&entry, account),
        };
        let Ok(next) = next else { return };
        let commit = entry.commit.value();
        assert!(next.head() == LogHead { seq: commit.seq, hash: entry.commit.hash() });
        if let Some(before) = &self.vault {
            assert!(next.vault_id() == before.vault_id() && next.head().seq > before.head().seq);
            assert!(next.epoch() >= before.epoch() && !next.members().is_empty());
            if matches!(entry.body, CommitBody::Heal(_)) {
                // Its own branch is not at hand: digest and counts are its signer's word.
                self.whole = false;
            } else if next.head().seq == before.head().seq.next() {
                assert!(before.skip_to(&entry, account).as_ref() == Ok(&next), "one step is no leap");
                assert!(next.live() + next.tombstones() >= before.live() + before.tombstones());
            } else {
                self.whole = false;
            }
        }
        if let CommitBody::Content(content) = &entry.body {
            if self.leaves.check(&content.changes).is_err() && self.whole {
                return;
            }
            self.leaves.apply(&content.changes);
        }
        self.chain.push(entry);
        self.vault = Some(next);
    }

    /// What holds whatever came.
    fn check(&self) {
        let Some(account) = &self.account else { return };
        assert!(
            AccountState::from_links(&self.links).as_ref() == Ok(account),
            "a state is a function of its log"
        );
        drop(account.slot_hashes());
        let Some(vault) = &self.vault else { return };
        let kept = VaultState::from_checkpoint(&vault.to_checkpoint()).unwrap();
        assert!(kept == *vault, "a checkpoint is the state");
        drop((vault.cut_offs(account), account.witnessed(&vault.vault_id()).count()));
        if self.whole {
            self.check_line(account, vault);
            assert!(
                self.leaves.digest(&vault.vault_id()) == vault.digest(),
                "the digest is that of the leaves"
            );
            assert!(self.leaves.len() as u64 == vault.live() + vault.tombstones());
        }
    }
}

impl World {
    /// The chain as a whole is what it was step by step; and every heal that was read is one of it, or is refused.
    fn check_line(&self, account: &AccountState, vault: &VaultState) {
        let sides = Sides::new(self.read.iter().cloned());
        if let Ok(line) = Line::verify(&self.chain, &sides, account) {
            assert!(line.state() == vault, "a chain has one state");
        }
        for heal in self.read.iter().filter(|entry| matches!(entry.body, CommitBody::Heal(_))) {
            let chain = [self.chain.as_slice(), std::slice::from_ref(heal)].concat();
            let Ok(line) = Line::verify(&chain, &sides, account) else { continue };
            assert!(line.covers(&vault.head()) && line.state().digest() == vault.digest());
            let kept = VaultState::from_checkpoint(&line.state().to_checkpoint()).unwrap();
            assert!(kept == *line.state() && kept.head().seq > vault.head().seq);
        }
    }
}

fn read_entry(bytes: &[u8]) -> Option<Entry> {
    let length = u32::from_be_bytes(*bytes.first_chunk::<4>()?) as usize;
    let (commit, body) = bytes.split_at_checked(length.checked_add(4 + 64)?)?;
    let commit = Signed::<Commit>::from_wire(commit).ok()?;
    let body = CommitBody::from_bytes(commit.value().kind, body).ok()?;
    Some(Entry { commit, body })
}

/// The states of a vault that the seeds come to, as checkpoints.
pub(super) fn checkpoints() -> Vec<Vec<u8>> {
    seeds().iter().filter_map(|seed| Some(World::after(seed).vault?.to_checkpoint())).collect()
}

/// The frozen links and commits, in orders that make a log of them once they are mended.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let links: Vec<Vec<u8>> =
        cases("links").iter().map(|case| unhex(case["wire"].as_str().unwrap())).collect();
    let entries: Vec<Vec<u8>> = cases("commits")
        .iter()
        .map(|case| [unhex(case["wire"].as_str().unwrap()), unhex(case["body"].as_str().unwrap())].concat())
        .collect();
    let record = |tag: u8, bytes: &[u8]| [&[tag][..], &field(bytes)].concat();
    let link = |index: usize| record(MEND | FIT, &links[index]);
    let commit = |index: usize, tag: u8| record(COMMIT | MEND | FIT | tag, &entries[index]);
    let (genesis, auth, paired, kit, rekey, recover, create, version) =
        (record(0, &links[0]), link(1), link(2), link(3), link(4), link(5), link(6), link(9));
    let vault = [commit(0, 0), create.clone()].concat();
    let begun = [&genesis[..], &auth, &vault].concat();
    let written = [commit(1, 0), commit(2, 0), commit(3, 0), commit(2, 0)].concat();
    // A control commit brings the key that a rekey has named, which revokes the device that was paired.
    let rekeyed = [&begun[..], &paired, &commit(1, 0), &rekey].concat();
    let mut seeds = vec![
        [&begun[..], &written].concat(),
        [&rekeyed[..], &commit(3, 0), &commit(2, 0)].concat(),
        [&begun[..], &kit, &commit(1, 0), &recover, &commit(3, 0), &version].concat(),
        [&rekeyed[..], &commit(3, 0), &commit(4, 0)].concat(),
        [&rekeyed[..], &commit(3, SKIP), &commit(2, SKIP), &commit(4, 0)].concat(),
    ];
    seeds.extend((7..links.len()).map(|index| [&begun[..], &link(index)].concat()));
    seeds.push(links.iter().flat_map(|wire| record(0, wire)).collect());
    seeds.push(entries.iter().fold(genesis, |seed, wire| [seed, record(COMMIT, wire)].concat()));
    seeds
}

#[cfg(test)]
#[test]
fn the_seeds_get_far() {
    use lockstep_proto::log::LinkKind;

    let ends: Vec<World> = seeds().iter().map(|seed| World::after(seed)).collect();
    let healed = |world: &World| {
        let (Some(account), true) = (&world.account, world.whole) else { return false };
        let heals = world.read.iter().filter(|entry| matches!(entry.body, CommitBody::Heal(_)));
        let sides = Sides::default();
        heals.into_iter().any(|heal| {
            Line::verify(&[world.chain.as_slice(), std::slice::from_ref(heal)].concat(), &sides, account)
                .is_ok()
        })
    };
    assert!(ends.iter().any(healed), "a heal is accepted");
    let vaults: Vec<&VaultState> = ends.iter().filter_map(|world| world.vault.as_ref()).collect();
    assert!(vaults.iter().any(|vault| vault.epoch().0 == 2 && vault.live() == 2));
    let accounts: Vec<&AccountState> = ends.iter().filter_map(|world| world.account.as_ref()).collect();
    let is_accepted =
        |kind| ends.iter().flat_map(|world| &world.links).any(|link| link.value().body.kind() == kind);
    assert!([LinkKind::Rekey, LinkKind::Recover].into_iter().all(is_accepted));
    assert!(accounts.iter().any(|account| account.security_version() == 2));
}
