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
