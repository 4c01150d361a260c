//! Re-anchoring (R-REANCHOR), to the end of its state space: what devices do whose server is put back to a backup once,
//! twice and three times, while a device of theirs is removed. The real verifier of lockstep-proto judges real links
//! and commits.
//!
//! One account, one vault, one or two items; a first and a second device, and one that may be lost: either its owner
//! goes on using it, or a thief has it without the password. Devices edit, purge, sync, are cut short, and answer that
//! the server was restored; the first one removes the lost one. Documents are sets of values ([`document`]), so that
//! what is merged and what a purge covers are exact. In every state is asked what may be shown and written and which
//! pins may move; where no device has anything left to do, whether everything is there.
//!
//! Each rule is also left out, one at a time: then what it is for must be found. Beyond the link's own rules, the model
//! needs these:
//!
//! - a fork that is named is one up to which it is known what the remover had seen ([`Otherwise::LastCommon`]);
//! - what a removed device wrote beyond its cut-off is hidden once the removal is known, not only once a person has
//!   answered ([`Otherwise::ShowsWhileAsked`]);
//! - over a distrusted version are written the own document and the newest version of the chain that counts, merged
//!   ([`Otherwise::OwnDocumentAlone`]), and of the own branch the newest version that counts
//!   ([`Otherwise::LastVersionOnly`]);
//! - what was brought along is kept, for what has covered it may turn out not to count ([`Otherwise::ForgetsCovered`]);
//! - a removal that is made again and the link that distrusts come in one request ([`Otherwise::RemovesFirst`]).
//!
//! Not modelled: several vaults, keys and whom they are sealed to, first syncs, a link in flight.
//!
//! `LOCKSTEP_REANCHOR_SIZE=n` allows more of everything (0 without it, up to 2).

mod act;
mod answer;
mod book;
mod device;
mod document;
mod explore;
mod verified;
mod world;

use explore::{Found, explore};
use world::Left;

/// How many items there are, at most.
const ITEMS: u8 = 2;

/// What is decided otherwise than the rules have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Nothing,
    /// A device goes where any history was accepted.
    FollowsAnything,
    /// It goes on from the accepted head on another branch, although its own has that head.
    FollowsFromAccepted,
    /// Cut-offs are asked for at or below an accepted head, too.
    CutOffsAsked,
    /// Nothing is distrusted.
    TrustsAll,
    /// What is brought along takes the place of what is there.
    NewStamps,
    /// The fork is what both histories have, whoever has seen it.
    LastCommon,
    /// What a distrusted version has written over is not brought back where the device has a document of its own.
    OwnDocumentAlone,
    /// Of an own branch comes what stands last, or nothing.
    LastVersionOnly,
    /// What a removed device wrote is shown until a person has answered.
    ShowsWhileAsked,
    /// What was brought along, and is covered there, is forgotten.
    ForgetsCovered,
    /// Nobody takes another log than its own.
    LogsStayForked,
    /// What is removed again is removed before anything is distrusted.
    RemovesFirst,
}

/// What becomes of the device that may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// Its owner goes on using it.
    Used,
    /// A thief has it once it is removed.
    Stolen,
    /// The same, and before nobody uses it.
    StolenUnused,
}

/// A world, and the rules that hold in it.
#[derive(Clone, Copy)]
struct Model {
    otherwise: Otherwise,
    left: Left,
    items: u8,
    lost: Lost,
    /// Whether the server shows any log with any chain that it ever had, to whom it likes.
    is_hostile: bool,
}

impl Model {
    /// A server that is restored this often, and two devices that write once each.
    fn restored(restores: u8) -> Self {
        let left = Left { writes: [1, 1, 0], backups: 1, restores, answers: 1, ..Left::default() };
        Self { otherwise: Otherwise::Nothing, left, items: 1, lost: Lost::Used, is_hostile: false }
    }

    /// The same where the first device removes the lost one, which its owner goes on using.
    fn removed(writes: [u8; 3], restores: u8) -> Self {
        let model = Self::restored(restores);
        Self { left: Left { writes, removals: 1, ..model.left }, ..model }
    }

    /// The same where a thief has it, who signs one commit, and nobody has used it.
    fn stolen(writes: [u8; 2], restores: u8) -> Self {
        let model = Self::removed([writes[0], writes[1], 0], restores);
        Self { left: Left { plants: 1, ..model.left }, lost: Lost::StolenUnused, ..model }
    }

    fn without(self, otherwise: Otherwise) -> Self {
        Self { otherwise, ..self }
    }
}

/// How much more than in every build.
fn size() -> u8 {
    std::env::var("LOCKSTEP_REANCHOR_SIZE").map_or(0, |size| size.parse().expect("a size"))
}

fn all(model: Model) -> Found {
    explore(&model, None)
}

/// Looks for what must be found where a rule is left out.
fn assert_found(model: Model, wanted: &str) {
    let found = explore(&model, Some(wanted));
    assert!(found.wrong.contains_key(wanted), "{:?} is found, not {wanted}", found.names());
}

const NONE: &[&str] = &[];
const SHOWN: &str = "P2 nothing unseen is shown by who knows of the removal";
const LOST_VALUE: &str = "P8 nothing is lost";
const UNASKED: &str = "P4 no pin is given up unasked";

#[test]
fn restores_lose_nothing() {
    let mut model = Model::restored(2 + size().min(1));
    model.left.purges = [0, size().min(1), 0];
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_commit_or_an_answer_that_is_lost_does_neither() {
    let mut model = Model::restored(1 + size().min(1));
    model.left.cuts = 1;
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_removed_device_that_is_still_used_changes_nothing() {
    let mut model = Model::removed([size() % 2, 1, 1], 1 + size() / 2);
    model.left.purges = [0, 0, size().min(1)];
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_thief_of_a_removed_device_is_never_shown() {
    if size() > 1 {
        assert_eq!(all(Model::stolen([0, 1], 3)).names(), NONE);
        assert_eq!(all(Model { items: 2, ..Model::stolen([1, 1], 1) }).names(), NONE);
    }
    let model = Model::stolen([size().min(1), 1], 1 + size() / 2);
    let found = all(Model { lost: Lost::Stolen, ..model });
    assert_eq!(found.names(), NONE);
    // What a device takes over that knows of no removal is its own.
    assert!(found.taken_over > 0);
}

#[test]
fn a_forked_log_is_taken_and_its_removal_made_again() {
    let mut model = Model::removed([0, size().min(1), size().min(1)], 1);
    model.left.others = [0, 1, 1];
    assert_eq!(all(model).names(), NONE);
    let mut model = Model::stolen([size().min(1), 1], 1);
    model.lost = if size() > 0 { Lost::Stolen } else { Lost::StolenUnused };
    model.left.others = [0, 1, 0];
    model.left.cuts = size().min(1);
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_hostile_server_moves_no_pin_unasked() {
    let lost = if size() > 0 { Lost::Used } else { Lost::StolenUnused };
    let mut model = Model { is_hostile: true, lost, ..Model::restored(0) };
    model.left.answers = 0;
    assert_eq!(all(model).names(), NONE);
    model.left.answers = 1;
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_hostile_server_with_a_removed_device_shows_nothing_of_it() {
    let mut model = Model { is_hostile: true, ..Model::stolen([0, 0], 0) };
    model.left.answers = size().min(1);
    assert_eq!(all(model).names(), NONE);
}

#[test]
fn a_device_goes_nowhere_but_where_the_accepted_head_is() {
    let mut model = Model::restored(2);
    assert_found(model.without(Otherwise::FollowsAnything), UNASKED);
    model.left.writes = [1, 2, 0];
    model.left.restores = 2;
    assert_found(model.without(Otherwise::FollowsFromAccepted), UNASKED);
}

#[test]
fn asked_for_below_an_accepted_head_a_cut_off_would_block_the_vault() {
    let model = Model::stolen([0, 0], 1).without(Otherwise::CutOffsAsked);
    assert_found(model, "no device is stuck: its vault");
}

#[test]
fn where_nothing_is_distrusted_a_thief_is_shown() {
    assert_found(Model::stolen([0, 0], 1).without(Otherwise::TrustsAll), SHOWN);
}

#[test]
fn until_a_person_has_answered_a_thief_would_be_shown() {
    assert_found(Model::stolen([0, 0], 1).without(Otherwise::ShowsWhileAsked), SHOWN);
}

#[test]
fn with_a_fork_above_what_the_remover_had_seen_a_thief_is_shown() {
    assert_found(Model::stolen([1, 0], 1).without(Otherwise::LastCommon), SHOWN);
}

#[test]
fn a_removal_made_again_lets_a_thief_be_shown_until_a_link_distrusts() {
    assert_found(Model::stolen([0, 1], 1).without(Otherwise::RemovesFirst), SHOWN);
}

#[test]
fn with_new_stamps_what_is_brought_along_takes_the_place_of_what_is_there() {
    assert_found(Model::restored(1).without(Otherwise::NewStamps), LOST_VALUE);
}

#[test]
fn the_own_document_alone_takes_the_place_of_what_a_thief_has_written_over() {
    assert_found(Model::stolen([1, 1], 1).without(Otherwise::OwnDocumentAlone), LOST_VALUE);
}

#[test]
fn what_a_thief_has_written_over_on_the_own_branch_would_be_lost() {
    assert_found(Model::stolen([0, 1], 2).without(Otherwise::LastVersionOnly), LOST_VALUE);
}

#[test]
fn what_a_thief_claims_to_have_seen_would_be_lost() {
    assert_found(Model::stolen([0, 1], 2).without(Otherwise::ForgetsCovered), LOST_VALUE);
}

#[test]
fn while_logs_stay_forked_a_device_is_stuck() {
    assert_found(Model::stolen([0, 1], 1).without(Otherwise::LogsStayForked), "no device is stuck: its log");
}
