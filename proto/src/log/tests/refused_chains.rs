//! Chains of an account that has removed a device, frozen: what of them R-AUTHOR (4) refuses.
//!
//! Each is verified from its genesis by somebody who knows the whole log. What was verified before a removal was known
//! is judged again, so the outcome is the same in any order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::authority::after_revocation;
use super::fixture::*;
use crate::ids::Epoch;
use crate::log::*;
use crate::sign::Signed;
use crate::tests::rules;
use crate::tests::vector_file::{check, hex, unhex};

/// The head that a chain leads to, or the rule that it breaks.
fn verify(account: &AccountState, chain: &[Entry]) -> Result<LogHead, &'static str> {
    let (genesis, rest) = chain.split_first().unwrap();
    let named = |entry, error| rules::of_commit(&error, entry, account);
    let state = VaultState::from_genesis(genesis, account).map_err(|error| named(genesis, error))?;
    let start = TestVault { entries: vec![genesis.clone()], state, leaves: LeafMap::default() };
    let vault = rest
        .iter()
        .try_fold(start, |vault, entry| vault.attempt(entry, account).map_err(|error| named(entry, error)))?;
    // A chain that ends below a cut-off is withheld: nothing of it is applied.
    if vault.state.pending_cut_offs().is_empty() { Ok(vault.state.head()) } else { Err("R-AUTHOR (4)") }
}

fn with(vault: &TestVault, account: &TestAccount, signer: &str, content: &str) -> TestVault {
    let mut longer = vault.clone();
    let entry = longer.content(&account.state, signer, &[("bank", content)]);
    // As the signer saw it, who knows of no removal, or does not care.
    longer.state = longer.state.apply(&entry, &before_removals(account)).unwrap();
    let CommitBody::Content(body) = &entry.body else { panic!("content") };
    longer.leaves.apply(&body.changes);
    longer.entries.push(entry);
    longer
}

/// The log up to its first removal, or all of it.
fn before_removals(account: &TestAccount) -> AccountState {
    let removes = |link: &Signed<AccountLink>| matches!(link.value().body, LinkBody::Rekey(_));
    AccountState::from_links(account.links.iter().take_while(|link| !removes(link))).unwrap()
}

type Chain = (&'static str, &'static str, Vec<Entry>);

/// The logs by name, and the chains: what each is, the log that the verifier knows, the commits.
fn tried() -> (Vec<(&'static str, TestAccount)>, Vec<Chain>) {
    // The phone wrote commit 1, the laptop commit 2, which its removal of the phone names.
    let (before, after, vault) = after_revocation();
    let cut = |length: usize| {
        let entries = vault.entries[..length].to_vec();
        let state = entries[1..]
            .iter()
            .fold(VaultState::from_genesis(&entries[0], &before.state).unwrap(), |state, entry| {
                state.apply(entry, &before.state).unwrap()
            });
        let mut leaves = LeafMap::default();
        for entry in &entries {
            if let CommitBody::Content(body) = &entry.body {
                leaves.apply(&body.changes);
            }
        }
        TestVault { entries, state, leaves }
    };
    // Listed again after the phone's next commit came to light, which the second removal lets stand.
    let late = with(&vault, &before, "phone", "late");
    let mut again = after.clone();
    again.heads.insert(vault.id(), late.state.head());
    let rekey = again.rekey(RekeyReason::Lost, &["phone"]);
    again.push("laptop", LinkBody::Rekey(Box::new(rekey)));
    let later = with(&late, &before, "phone", "later");
    let other_place = with(&cut(2), &before, "laptop", "elsewhere");
    let control = vault.control(&before.state, "phone", Epoch(2));
    let after_it = vault.content(&after.state, "phone", &[("bank", "after")]);
    let by_laptop = vault.content(&after.state, "laptop", &[("bank", "by the laptop")]);
    let entries = |vault: &TestVault| vault.entries.clone();
    let and = |vault: &TestVault, entry: Entry| [entries(vault), vec![entry]].concat();
    let chains = vec![
        ("the chain that the removal names", "removed", entries(&vault)),
        ("somebody else goes on from there", "removed", and(&vault, by_laptop)),
        ("before the removal was known", "before", entries(&late)),
        ("named by the second removal", "removed again", entries(&late)),
        (
            "the device writes after its cut-off, naming a position before its removal",
            "removed",
            entries(&late),
        ),
        ("the same after the second removal", "removed again", entries(&later)),
        ("the device writes after its cut-off, naming the removal", "removed", and(&vault, after_it)),
        ("the device changes the epoch after its cut-off", "removed", and(&vault, control)),
        ("what the device wrote, without the cut-off above it", "removed", entries(&cut(2))),
        ("another commit where the cut-off is", "removed", entries(&other_place)),
        ("another branch, longer than the cut-off", "removed", {
            entries(&with(&other_place, &before, "laptop", "elsewhere again"))
        }),
        ("another branch, on which the device wrote where the cut-off is", "removed", {
            entries(&with(&cut(2), &before, "phone", "in its place"))
        }),
    ];
    (vec![("before", before), ("removed", after), ("removed again", again)], chains)
}

#[test]
fn chains_of_an_account_that_has_removed_a_device() {
    let (logs, chains) = tried();
    let states: BTreeMap<&str, &AccountState> =
        logs.iter().map(|(name, account)| (*name, &account.state)).collect();
    let links =
        |links: &[Signed<AccountLink>]| links.iter().map(|link| hex(link.to_wire())).collect::<Vec<_>>();
    let log = |(name, account): &(&str, TestAccount)| json!({ "name": name, "links": links(&account.links) });
    let chain = |(name, log, entries): &Chain| {
        let commits = entries
            .iter()
            .map(|entry| json!({ "wire": hex(entry.commit.to_wire()), "body": hex(entry.body.to_bytes()) }));
        let mut case = json!({ "name": name, "log": log, "commits": commits.collect::<Vec<_>>() });
        match verify(states[log], entries) {
            Ok(head) => case["hash"] = json!(hex(head.hash)),
            Err(rule) => case["rule"] = json!(rule),
        }
        case
    };
    let description = "First logs of one account, by name, all valid; then whole chains of its vault, verified by who knows \
        that log. Those with a hash lead to that head; all others are refused, or withheld, by the rule that is named.";
    let cases = logs.iter().map(log).chain(chains.iter().map(chain)).collect();
    let mut known = BTreeMap::new();
    for case in check("refused_chains", description, cases) {
        let name = case["name"].as_str().unwrap();
        if let Some(links) = case["links"].as_array() {
            let links = links.iter().map(|wire| Signed::from_wire(&unhex(wire.as_str().unwrap())).unwrap());
            let links: Vec<_> = links.collect();
            known.insert(name.to_owned(), AccountState::from_links(&links).unwrap());
            continue;
        }
        let read = |commit: &Value, member: &str| unhex(commit[member].as_str().unwrap());
        let commits = case["commits"].as_array().unwrap().iter();
        let commits = commits.map(|commit| Entry::from_wire(&read(commit, "wire"), &read(commit, "body")));
        let commits: Vec<Entry> = commits.map(Result::unwrap).collect();
        let found = verify(&known[case["log"].as_str().unwrap()], &commits);
        assert_eq!(found.err(), case["rule"].as_str(), "{name}");
        assert_eq!(found.ok().map(|head| hex(head.hash)).as_deref(), case["hash"].as_str(), "{name}");
    }
}
