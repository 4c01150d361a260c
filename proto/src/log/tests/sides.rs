//! Commits that are kept by their hash, and what heals bound.

use super::fixture::*;
use crate::ids::{Hash, Seq};
use crate::log::*;
use crate::sign::signed_bytes;

fn head(entry: &Entry) -> LogHead {
    entry.commit.value().head(entry.commit.hash())
}

/// A commit that nobody has signed.
fn unsigned(vault: &TestVault, account: &TestAccount, seq: u64, prev_hash: Hash, body: CommitBody) -> Entry {
    let commit = Commit {
        seq: Seq(seq),
        prev_hash,
        body_hash: body.hash(),
        ..vault.commit(&account.state, "laptop", &body)
    };
    let bytes = signed_bytes(&commit);
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    Entry::from_wire(&[&length[..], &bytes, &[0; 64]].concat(), &body.to_bytes()).unwrap()
}

fn empty() -> CommitBody {
    CommitBody::Content(ContentBody { changes: Vec::new() })
}

fn home() -> (TestAccount, TestVault) {
    let mut account = TestAccount::new("anna", "laptop");
    let vault = account.add_vault("laptop", "home");
    (account, vault)
}

#[test]
fn a_side_is_what_leads_from_its_head_to_its_fork() {
    let (account, vault) = home();
    let (mut side, mut chain, mut third) = (vault.clone(), vault.clone(), vault);
    for content in ["bank 1", "bank 2"] {
        side.write(&account.state, "laptop", &[("bank", content)]);
    }
    chain.write(&account.state, "laptop", &[("mail", "mail 1")]);
    let heal = chain.heal(&account.state, "laptop", &side, 0);
    chain.join(&heal, &[&side], &account.state);
    third.write(&account.state, "laptop", &[("note", "note 1")]);
    let outer = third.heal(&account.state, "laptop", &chain, 0);
    let CommitBody::Heal(body) = outer.body else { panic!() };

    let sides = sides_of(&[&side, &chain]);
    assert_eq!(sides.side_of(&body).unwrap(), chain.entries[1..].iter().collect::<Vec<_>>());
    let lacking = sides_of(&[&side]);
    assert_eq!(lacking.side_of(&body), None);
    for entry in side.entries.iter().chain(&chain.entries) {
        assert_eq!(sides.get(&entry.commit.hash()), Some(entry));
        let is_beside = entry.commit.value().seq > Seq(0);
        assert_eq!(sides.holds(&body.fork, &body.side, &head(entry)), is_beside, "{:?}", head(entry));
    }
    assert_eq!(sides.get(&outer.commit.hash()), None);
    let moved = LogHead { seq: Seq(9), ..head(&side.entries[2]) };
    for absent in [head(&third.entries[1]), moved] {
        assert!(!sides.holds(&body.fork, &body.side, &absent));
    }
    assert!(!lacking.holds(&body.fork, &body.side, &head(&chain.entries[1])));
}

#[test]
fn positions_of_a_side_go_down_to_above_its_fork() {
    let (account, vault) = home();
    let fork = LogHead { seq: Seq(3), hash: named("fork") };
    for (positions, is_side) in [
        (&[4, 5][..], true),
        (&[4, 9], true),
        (&[4, 4], false),
        (&[5, 4], false),
        (&[3, 4], false),
        (&[2, 4], false),
    ] {
        let (mut entries, mut before) = (Vec::new(), fork.hash);
        for seq in positions {
            entries.push(unsigned(&vault, &account, *seq, before, empty()));
            before = entries.last().unwrap().commit.hash();
        }
        let heal = HealBody { fork, side: head(&entries[1]), side_control_hash: Hash::ZERO };
        let sides = Sides::new(entries.clone());
        assert_eq!(sides.side_of(&heal).is_some(), is_side, "{positions:?}");
        let named_lower = LogHead { seq: Seq(positions[1] - 1), ..head(&entries[1]) };
        assert_eq!(sides.side_of(&HealBody { side: named_lower, ..heal }), None, "{positions:?}");
    }
    // Nothing was written: fork and head are one, and no commit is needed.
    let nothing = HealBody { fork, side: fork, side_control_hash: Hash::ZERO };
    assert_eq!(Sides::default().side_of(&nothing), Some(Vec::new()));
}

#[test]
fn a_log_has_at_most_256_heals() {
    let (account, vault) = home();
    let genesis = head(&vault.entries[0]);
    let body = CommitBody::Heal(HealBody { fork: genesis, side: genesis, side_control_hash: genesis.hash });
    let mut chain = vault.entries.clone();
    let limit = CommitError::Rule("a vault's log has at most 256 heals");
    for heals in 1..=257 {
        let last = head(chain.last().unwrap());
        chain.push(unsigned(&vault, &account, last.seq.0 + 1, last.hash, body.clone()));
        if heals >= 256 {
            let refused = Line::verify(&chain, &Sides::default(), &account.state).unwrap_err();
            assert_eq!(refused == limit, heals == 257, "{heals}: {refused}");
        }
    }
}

#[test]
fn the_sides_of_all_heals_are_bounded_together() {
    let (account, vault) = home();
    let genesis = head(&vault.entries[0]);
    for (length, too_many) in [(1_024, false), (1_025, true)] {
        let (mut side, mut last) = (Vec::new(), genesis);
        for _ in 0..length {
            side.push(unsigned(&vault, &account, last.seq.0 + 1, last.hash, empty()));
            last = head(side.last().unwrap());
        }
        let mut chain = vault.entries.clone();
        let body = HealBody { fork: genesis, side: last, side_control_hash: genesis.hash };
        for _ in 0..256 {
            let before = head(chain.last().unwrap());
            let seq = before.seq.max(last.seq).0 + 1;
            chain.push(unsigned(&vault, &account, seq, before.hash, CommitBody::Heal(body)));
        }
        let refused = Line::verify(&chain, &Sides::new(side), &account.state).unwrap_err();
        let limit = CommitError::Rule("the sides of all heals have at most 262,144 commits");
        assert_eq!(refused == limit, too_many, "{length}: {refused}");
    }
}

/// Ways through the sides multiply by four from level to level, and which of the heals of a level writes over more goes up
/// and down: whoever looked at one again whenever it writes over more would look for ever.
#[test]
fn a_heal_is_looked_at_once_however_far_the_ways_to_it_reach() {
    let (account, vault) = home();
    let genesis = head(&vault.entries[0]);
    let mut all = Vec::new();
    let heal_of = |fork: Hash, low: bool, side| {
        let fork = LogHead { seq: Seq(if low { 1 } else { 2 }), hash: fork };
        CommitBody::Heal(HealBody { fork, side, side_control_hash: genesis.hash })
    };
    let first = unsigned(&vault, &account, 10, genesis.hash, empty());
    let (mut trunk, mut end) = (genesis.hash, head(&first));
    all.push(first);
    for _ in 0..63 {
        let base = unsigned(&vault, &account, end.seq.0 + 1, genesis.hash, empty());
        let (fork, side) = (trunk, end);
        (trunk, end) = (base.commit.hash(), head(&base));
        all.push(base);
        for low in [true, false, true, false] {
            let heal = unsigned(&vault, &account, end.seq.0 + 1, end.hash, heal_of(fork, low, side));
            end = head(&heal);
            all.push(heal);
        }
    }
    let heal = unsigned(&vault, &account, end.seq.0 + 1, genesis.hash, heal_of(trunk, false, end));
    let chain = [vault.entries[0].clone(), heal];
    let refused = Line::verify(&chain, &Sides::new(all), &account.state);
    assert_eq!(refused, Err(CommitError::Rule("a heal's fork is on its chain")));
}
