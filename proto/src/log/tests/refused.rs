//! What both verifiers refuse, frozen: a verifier that accepts everything fails every case but the honest ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::evidence;
use super::fixture::TestVault;
use super::recorded::{Tried, record};
use super::*;
use crate::ids::{AccountId, Hash};
use crate::log::*;
use crate::sign::Signed;
use crate::tests::rules;
use crate::tests::vector_file::{check, hex, unhex};

/// Cases of one kind that break one rule in one way, at most: some rules are tried in many ways.
const ALIKE: usize = 2;

/// What is frozen of what was tried: everything that was accepted, and some of each kind that breaks each rule.
fn chosen(tried: Vec<Tried>) -> Vec<Tried> {
    let mut seen = BTreeMap::<(String, String), usize>::new();
    let mut needed = BTreeSet::new();
    let kept = |tried: &Tried| {
        if tried.rule.is_none() {
            return true;
        }
        let way: String = tried.why.chars().filter(|sign| !sign.is_ascii_digit()).take(40).collect();
        let count = seen.entry((tried.kind.clone(), way)).or_default();
        *count += 1;
        *count <= ALIKE
    };
    let kept: Vec<Tried> = tried.into_iter().filter(kept).collect();
    // Of what is accepted, what something refused comes after, or what no other case shows as accepted of its kind.
    let mut parents = BTreeMap::<Hash, Vec<LogHead>>::new();
    for tried in kept.iter().filter(|tried| tried.rule.is_none()) {
        parents.entry(hash_of(tried)).or_default().extend(tried.after.into_iter().chain(tried.account));
    }
    let mut wanted: Vec<LogHead> = kept
        .iter()
        .filter(|tried| tried.rule.is_some())
        .flat_map(|tried| tried.after.into_iter().chain(tried.account))
        .collect();
    while let Some(head) = wanted.pop() {
        if needed.insert(head.hash) {
            wanted.extend(parents.get(&head.hash).into_iter().flatten());
        }
    }
    let mut shown = BTreeSet::new();
    kept.into_iter()
        .filter(|tried| {
            tried.rule.is_some() || needed.contains(&hash_of(tried)) || shown.insert(tried.kind.clone())
        })
        .collect()
}

fn hash_of(tried: &Tried) -> Hash {
    match &tried.body {
        None => Signed::<AccountLink>::from_wire(&tried.wire).unwrap().hash(),
        Some(body) => Entry::from_wire(&tried.wire, body).unwrap().commit.hash(),
    }
}

fn case(tried: &Tried) -> Value {
    let mut case = json!({ "kind": tried.kind, "wire": hex(&tried.wire) });
    if let Some(after) = tried.after {
        case["after"] = json!(hex(after.hash));
    }
    if let Some(body) = &tried.body {
        case["body"] = json!(hex(body));
        case["account"] = json!(tried.account.map(|head| hex(head.hash)));
    }
    match tried.rule {
        Some(rule) => case["rule"] = json!(rule),
        None => case["hash"] = json!(hex(hash_of(tried))),
    }
    case
}

/// The states of account logs by the hash of their last link.
pub(super) type Accounts = BTreeMap<String, AccountState>;

fn follow(case: &Value, known: &Accounts) -> Result<AccountState, &'static str> {
    let link = Signed::<AccountLink>::from_wire(&unhex(case["wire"].as_str().unwrap()));
    let link = link.map_err(|error| rules::of_bytes(&error))?;
    let found = match case["after"].as_str() {
        None => AccountState::from_genesis(&link),
        Some(after) => known[after].apply(&link),
    };
    found.map_err(|error| rules::of_link(&error))
}

/// The chain that a case goes on with, or what refuses it.
fn follow_commit(
    case: &Value,
    accounts: &Accounts,
    chains: &BTreeMap<String, TestVault>,
) -> Result<TestVault, &'static str> {
    let read = |member: &str| unhex(case[member].as_str().unwrap());
    let entry = Entry::from_wire(&read("wire"), &read("body")).map_err(|error| rules::of_unread(&error))?;
    let known: BTreeMap<AccountId, AccountState> = case["account"]
        .as_str()
        .map(|head| (accounts[head].account_id(), accounts[head].clone()))
        .into_iter()
        .collect();
    let found = match case["after"].as_str() {
        None => VaultState::from_genesis(&entry, &known).map(|state| TestVault {
            entries: vec![entry.clone()],
            state,
            leaves: LeafMap::default(),
        }),
        Some(after) => chains[after].attempt(&entry, &known),
    };
    found.map_err(|error| rules::of_commit(&error, &entry, &known))
}

fn commits() -> Vec<fn()> {
    vec![
        vault_rules::a_second_commit_with_the_same_parent_is_refused,
        vault_rules::a_commit_observes_other_vaults_than_its_own,
        vault_rules::a_digest_or_count_that_does_not_add_up_is_refused,
        vault_rules::a_change_that_subtracts_a_leaf_that_was_never_there_is_refused_by_the_map,
        vault_rules::implausible_versions_are_refused,
        vault_rules::a_commit_for_another_vault_epoch_or_control_state_is_refused,
        vault_rules::a_control_commit_brings_a_new_epoch_and_what_is_of_the_old_one_is_refused,
        vault_rules::a_new_epoch_without_a_new_key_or_a_new_key_without_an_epoch_is_refused,
        vault_rules::a_genesis_is_empty_at_epoch_one_by_an_admin,
        vault_rules::a_body_of_another_kind_or_content_is_refused,
        authority::a_revoked_device_writes_nothing_after_the_cut_off_whatever_position_it_names,
        authority::an_author_position_that_is_not_known_is_withheld,
        authority::an_author_position_with_another_hash_is_refused,
        authority::an_author_position_never_goes_back_within_a_chain,
        authority::a_device_that_is_added_later_did_not_write_before,
        authority::a_stranger_is_not_a_member,
        authority::after_a_revocation_a_control_commit_needs_a_new_epoch,
        authority::a_control_commit_names_positions_that_are_real_and_its_authors_own,
        commit_fields::fields_of_a_commit_of_every_kind,
        commit_fields::counts_and_epoch_of_a_content_commit,
        commit_fields::fields_of_a_change,
        commit_fields::a_content_commit_changes_something_and_each_item_once_in_order,
        commit_fields::fields_of_a_control_body,
        commit_fields::fields_of_a_vault_s_genesis,
        named_epochs::a_control_commit_brings_no_epoch_that_no_rekey_has_named,
        named_epochs::a_control_commit_brings_the_key_that_the_rekey_named_sealing_the_key_that_it_named,
        named_epochs::a_rekey_counts_from_the_position_after_it,
    ]
}

#[test]
fn commits_that_break_a_rule_are_refused_by_its_name() {
    let tried = record(&commits()).into_iter().filter(|tried| tried.kind != "Heal");
    let tried = tried.filter(|tried| tried.body.is_some() || tried.rule.is_none());
    let cases: Vec<Value> = chosen(tried.collect()).iter().map(case).collect();
    let description = "Commits after others, with their bodies, and the links of the account logs that they name. Those with \
        a hash are accepted and come before what names them by after (a log's last entry) or account (the last link of the \
        author's log as the verifier knows it, or null); all others are refused, by the rule that is named.";
    let cases = check("refused_commits", description, cases);
    let (mut accounts, mut chains) = (Accounts::new(), BTreeMap::new());
    for case in &cases {
        let rule = match case["body"].as_str() {
            None => follow(case, &accounts)
                .map(|state| drop(accounts.insert(hex(state.head().hash), state)))
                .err(),
            Some(_) => follow_commit(case, &accounts, &chains)
                .map(|chain| drop(chains.insert(hex(chain.state.head().hash), chain)))
                .err(),
        };
        assert_eq!(rule, case["rule"].as_str());
    }
}

fn links() -> Vec<fn()> {
    vec![
        account_rules::the_second_link_is_an_auth_update,
        account_rules::only_an_authorised_device_signs,
        account_rules::the_enrolment_key_signs_device_add_by_kit_and_nothing_else,
        account_rules::heads_name_exactly_the_accounts_vaults,
        account_rules::keys_are_never_used_again,
        account_rules::small_order_and_malformed_keys_do_not_enter_a_log,
        account_rules::a_signature_with_s_plus_l_is_refused,
        account_rules::an_unknown_suite_or_kind_asks_for_an_update,
        account_rules::an_auth_update_never_lowers_or_mixes_generations,
        account_rules::a_link_of_another_account_is_refused,
        rekey_rules::a_rekey_ends_a_device_and_the_old_enrolment_key,
        rekey_rules::a_rekey_has_one_slot_for_exactly_each_active_device_and_vault,
        rekey_rules::a_rekey_names_a_later_epoch_of_every_vault,
        rekey_rules::a_rekey_changes_every_key_it_must,
        rekey_rules::a_reason_fits_what_is_revoked,
        rekey_rules::the_recovery_key_brings_a_device_and_new_keys_in_one_link,
        rekey_rules::a_vault_that_nobody_who_stays_has_seen_ends_with_the_device_that_linked_it,
        rekey_fields::reason_revoked_and_generation,
        rekey_fields::keys,
        rekey_fields::slots,
        rekey_fields::sign_in_fields,
        rekey_fields::recover_fields,
        link_fields::a_link_at_another_place_in_another_log_or_with_other_heads_is_refused,
        link_fields::a_link_s_time_is_the_signer_s_word_below_2_to_48,
        link_fields::who_may_sign_which_kind,
        link_fields::after_a_rekey_the_keys_before_sign_nothing,
        link_fields::a_genesis_names_nothing_before_it_and_is_signed_by_the_device_it_names,
        link_bodies::genesis_body_fields,
        link_bodies::auth_update_fields,
        link_bodies::the_first_auth_update_starts_at_generation_one,
        link_bodies::device_add_fields,
        link_bodies::vault_create_and_security_version_fields,
        countersignature::a44_a_device_without_the_password_changes_nothing_about_who_gets_in,
        countersignature::a44_the_password_that_a_link_brings_does_not_countersign_it,
        countersignature::a_password_that_was_changed_countersigns_nothing_any_more,
        countersignature::a44_a_countersignature_is_of_one_link_at_one_place,
        countersignature::the_first_auth_update_shows_the_key_that_it_names,
        reanchor_rules::a_reanchor_says_what_it_may_say,
        recovery_key::a_recovery_key_that_was_announced_takes_the_place_of_the_lost_one,
        recovery_key::a44_no_device_names_a_recovery_key_that_was_not_announced,
        recovery_key::an_announcement_is_cancelled_by_the_old_key_and_by_every_change_of_the_password,
        recovery_key::recovery_change_fields,
        recovery_key::the_recovery_key_takes_the_account_back_on_a_device_that_it_has,
    ]
}

#[test]
fn links_that_break_a_rule_are_refused_by_its_name() {
    let links = record(&links()).into_iter().filter(|tried| tried.body.is_none()).collect();
    let cases: Vec<Value> = chosen(links).iter().map(case).collect();
    let description = "Links after others, as on the wire. Those with a hash are accepted and come before what names them by \
        after; all others are refused, by the rule that is named.";
    let cases = check("refused_links", description, cases);
    let mut known = Accounts::new();
    for case in &cases {
        let found = follow(case, &known);
        assert_eq!(found.as_ref().err().copied(), case["rule"].as_str());
        if let Some(hash) = case["hash"].as_str() {
            known.insert(hash.to_owned(), found.unwrap());
        }
    }
}

/// What a file of evidence proves, or the rule that it breaks.
fn judged(bytes: &[u8]) -> Result<ForkProof, &'static str> {
    let evidence = ForkEvidence::from_bytes(bytes).map_err(|error| rules::of_evidence(&error))?;
    evidence.verify().map_err(|error| rules::of_evidence(&error))
}

#[test]
fn evidence_that_shows_no_fork_is_refused_by_the_rules_name() {
    let tests: [fn(); 5] = [
        evidence::what_is_no_fork_proves_nothing,
        evidence::branches_that_begin_alike_or_are_empty_are_no_fork_whatever_the_device_says,
        evidence::only_a_device_that_was_authorised_where_it_says_gives_its_word,
        evidence::a_head_of_the_same_branch_that_another_device_names_is_no_fork,
        evidence::a_head_is_named_only_by_another_device_that_was_authorised_where_it_says,
    ];
    let mut seen = BTreeSet::new();
    let tried = record(&tests).into_iter().filter(|tried| tried.kind == "Evidence");
    let mut files: Vec<(&str, Vec<u8>, Option<&str>)> = tried
        .filter(|tried| seen.insert(tried.why.clone()))
        .map(|tried| ("a file of evidence", tried.wire, tried.rule))
        .collect();
    let honest = files.iter().find(|(_, _, rule)| rule.is_none()).unwrap().1.clone();
    let last = honest.len() - 1;
    let mut forged = honest.clone();
    forged[last] ^= 1;
    let changed = [("the statement's signature is another", forged), ("cut short", honest[..last].to_vec())];
    let longer = ("a byte behind it", [&honest[..], &[0]].concat());
    for (name, bytes) in changed.into_iter().chain([longer]) {
        let rule = judged(&bytes).err();
        files.push((name, bytes, rule));
    }
    let case = |(name, bytes, rule): &(&str, Vec<u8>, Option<&str>)| {
        let mut case = json!({ "name": name, "bytes": hex(bytes) });
        if let Some(rule) = rule {
            case["rule"] = json!(rule);
        }
        case
    };
    let description = "Files of fork evidence. The one without a rule proves a fork; all others are refused, by the rule that \
        is named.";
    let mut proofs = 0;
    for case in check("refused_evidence", description, files.iter().map(case).collect()) {
        let found = judged(&unhex(case["bytes"].as_str().unwrap()));
        proofs += usize::from(found.is_ok());
        assert_eq!(found.err(), case["rule"].as_str(), "{}", case["name"]);
    }
    assert_eq!(proofs, 1);
}
