//! The two logs against every behaviour of a server, to a stated depth: stateright explores what devices, server and
//! operator can do, and the real verifiers of lockstep-proto judge real links and commits with real signatures.
//!
//! Three models: [`hostile_server`] (P3, P4, P5, R-AUTHOR with cut-offs), [`honest_server`] (compare-and-set, catch-up
//! after a restore), [`heal`] (joins). Each is also searched with
//! one check left out: then a counterexample must be found, else the model shows nothing.
//!
//! One vault, one account, three devices, each of which writes an item of its own. Not modelled: control commits and
//! epochs, several vaults, forks of the account's log (a device takes the link that follows its own), skipping to the
//! head.
//!
//! `LOCKSTEP_LOGS_DEPTH=n` follows a hostile server for n actions (5 without it), the other models for four or five
//! more.

mod book;
mod chains;
mod client;
mod evidence;
pub(crate) mod fixture;
mod heal;
mod honest_server;
mod hostile_server;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, Model};

use client::Without;
use heal::{Healing, Otherwise};
use honest_server::HonestServer;
use hostile_server::HostileServer;

/// How many actions a hostile server is followed; the other models, with fewer choices, go further.
fn depth() -> usize {
    std::env::var("LOCKSTEP_LOGS_DEPTH").map_or(5, |depth| depth.parse().expect("a number of actions"))
}

/// Searches everything within `depth` actions. Gives the names of what was found against the model, or of what should
/// have been possible and was not, and prints the way there.
#[allow(clippy::print_stdout)]
fn search<M>(model: M, depth: usize) -> Vec<&'static str>
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    // A state after n actions has depth n + 1, and states of the given depth are not looked at.
    let checker = model.checker().target_max_depth(depth + 2).spawn_bfs().join();
    let found = checker.discoveries();
    let mut wrong = Vec::new();
    for property in checker.model().properties() {
        let expected = matches!(property.expectation, stateright::Expectation::Sometimes);
        if found.contains_key(property.name) != expected {
            wrong.push(property.name);
            if let Some(path) = found.get(property.name) {
                println!("{}: {:?}", property.name, path.clone().into_actions());
            }
        }
    }
    let (all, different) = (checker.state_count(), checker.unique_state_count());
    println!("{different} states, reached {all} times within {depth} actions");
    wrong
}

const NONE: &[&str] = &[];

#[test]
fn no_server_drops_reorders_takes_back_or_hides_a_branch() {
    assert_eq!(search(HostileServer::new(Without::Nothing, 1), depth()), NONE);
}

#[test]
fn without_the_chain_a_device_goes_back() {
    let wrong = search(HostileServer::new(Without::Chain, 0), 4);
    assert!(wrong.contains(&"P3 nothing is dropped, reordered or injected"), "{wrong:?}");
    assert!(wrong.contains(&"P4 a pin never goes back"), "{wrong:?}");
}

#[test]
fn without_cut_offs_a_lost_device_goes_on_writing() {
    let wrong = search(HostileServer::new(Without::CutOffs, 1), 4);
    assert!(wrong.contains(&"R-AUTHOR nothing counts after a cut-off"), "{wrong:?}");
}

#[test]
fn without_claims_a_branch_stays_hidden() {
    let wrong = search(HostileServer::new(Without::Claims, 0), 5);
    assert!(wrong.contains(&"P5 a claim is never passed by"), "{wrong:?}");
}

#[test]
fn an_honest_server_accepts_one_commit_on_a_head() {
    let wrong = search(HonestServer::new(Without::Nothing, false), depth() + 5);
    assert_eq!(wrong, ["a restored server has everything again", "a restore ends in a fork"]);
}

#[test]
fn after_a_restore_devices_give_back_what_the_server_lost() {
    assert_eq!(search(HonestServer::new(Without::Nothing, true), depth() + 5), NONE);
}

#[test]
fn without_the_comparison_two_commits_are_accepted_on_one_head() {
    let wrong = search(HonestServer::new(Without::Compare, false), 5);
    assert!(wrong.contains(&"one commit is accepted on a head"), "{wrong:?}");
}

#[test]
fn a_join_loses_nothing() {
    let model = Healing::new(6, 1, Otherwise::Nothing);
    assert_eq!(search(model, depth() + 4), NONE);
}

#[test]
fn after_two_restores_it_loses_nothing_either() {
    let model = Healing::new(6, 2, Otherwise::Nothing);
    assert_eq!(search(model, depth() + 4), NONE);
}

#[test]
fn without_the_side_a_join_leaves_edits_behind() {
    let model = Healing::new(6, 1, Otherwise::AnySide);
    assert!(search(model, 8).contains(&"what a device had is a part of where it goes"));
}

#[test]
fn refused_over_other_sides_a_join_can_become_impossible() {
    let model = Healing::new(6, 2, Otherwise::OwnSidesOnly);
    assert_eq!(search(model, 9), ["every device can follow or join"]);
}

#[test]
fn judged_by_its_cut_off_a_lost_device_could_block_the_join() {
    let model = Healing::new(6, 1, Otherwise::Judged);
    assert_eq!(search(model, 8), ["every device can follow or join"]);
}

#[test]
fn judged_by_its_cut_off_beside_the_chain_too_a_lost_device_could_block_the_join() {
    let model = Healing::new(6, 1, Otherwise::JudgedBeside);
    assert!(search(model, 7).contains(&"every device can follow or join"));
}
