//! What goes into the next commit, and where heads stand.

use lockstep_proto::api::vaults::Room;
use lockstep_proto::canon;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{Hash, Seq, Version};
use lockstep_proto::log::LogHead;
use proptest::prelude::*;

use super::fixture::{Counting, document, item};
use crate::item::Saw;
use crate::sync::plan::{BatchSize, NoRoom, Standing, make_refusal_delay_ms, sendable, standing};
use crate::vault::{Edit, Mark, Outbox, OutboxEntry, QuarantineReason};

fn head(seq: u64, hash: u8) -> LogHead {
    LogHead { seq: Seq(seq), hash: Hash([hash; 32]) }
}

fn outbox(count: u8, title: &str) -> Outbox {
    let document = document(title);
    let entry = OutboxEntry { base: None, base_document: None, edit: Edit::Write(document) };
    (0..count).map(|number| (item(number), entry.clone())).collect()
}

#[test]
fn heads_are_compared_by_position_then_hash() {
    let pinned = head(5, 1);
    assert_eq!(standing(&pinned, &head(5, 1)), Standing::Same);
    assert_eq!(standing(&pinned, &head(5, 2)), Standing::Diverged);
    assert_eq!(standing(&pinned, &head(6, 9)), Standing::Ahead);
    assert_eq!(standing(&pinned, &head(4, 1)), Standing::Behind);
}

#[test]
fn an_edit_over_what_only_a_newer_program_reads_waits() {
    let outbox = outbox(3, "title");
    let leaf = Leaf { version: Version(2), blob_hash: Hash([2; 32]) };
    let author = lockstep_proto::ids::DeviceId([9; 16]);
    let mark = |reason| Mark::new(leaf, author, reason, Vec::new());
    let quarantine =
        [(item(0), mark(QuarantineReason::UpdateNeeded)), (item(1), mark(QuarantineReason::Sealed))];
    let quarantine = quarantine.into_iter().collect();
    let chosen = BatchSize::default().next(sendable(&outbox, &quarantine), None).unwrap();
    assert_eq!(chosen, [item(1), item(2)]);
    let alone: Outbox = outbox.into_iter().filter(|(item_id, _)| *item_id == item(0)).collect();
    assert_eq!(BatchSize::default().next(sendable(&alone, &quarantine), None), Ok(Vec::new()));
}

#[test]
fn a_commit_takes_at_most_64_changes() {
    let outbox = outbox(200, "title");
    assert_eq!(BatchSize::default().next(&outbox, None).unwrap().len(), 64);
    assert_eq!(BatchSize::default().halved().next(&outbox, None).unwrap().len(), 32);
    assert_eq!(BatchSize::default().halved().doubled(), BatchSize::default());
    assert_eq!(BatchSize::default().doubled(), BatchSize::default());
}

#[test]
fn a_commit_stays_within_the_vaults_room() {
    let room = |bytes, commit_blob_bytes, commit_changes| Room { bytes, commit_blob_bytes, commit_changes };
    let outbox = outbox(20, &"x".repeat(20_000));
    let next = |room: Room| BatchSize::default().next(&outbox, Some(&room));
    assert_eq!(next(room(1 << 30, 1 << 21, 3)).unwrap().len(), 3);
    assert_eq!(next(room(1 << 30, 50_000, 1_000)).unwrap().len(), 2);
    assert_eq!(next(room(50_000, 1 << 21, 1_000)).unwrap().len(), 2);
    assert_eq!(next(room(1_000, 1 << 21, 1_000)), Err(NoRoom));
}

#[test]
fn an_item_above_the_size_of_a_batch_goes_alone() {
    let document = document(&"x".repeat(250_000));
    let entry = OutboxEntry { base: None, base_document: None, edit: Edit::Write(document) };
    let outbox: Outbox = (0..3).map(|number| (item(number), entry.clone())).collect();
    assert_eq!(BatchSize::default().halved().next(&outbox, None).unwrap().len(), 1);
}

#[test]
fn the_first_two_refusals_cost_no_time_and_none_costs_more_than_two_seconds() {
    let random = Counting::default();
    assert_eq!(make_refusal_delay_ms(1, &random), 0);
    assert_eq!(make_refusal_delay_ms(2, &random), 0);
    for refusals in 3..100 {
        assert!(make_refusal_delay_ms(refusals, &random) <= 2_000);
    }
}

#[test]
fn an_edit_and_its_undoing_is_idle() {
    let (one, two) = (document("one"), document("two"));
    let base = Some(Leaf { version: Version(1), blob_hash: Hash([1; 32]) });
    let entry = |edit| OutboxEntry { base, base_document: Some(one.clone()), edit };
    assert!(entry(Edit::Write(one.clone())).is_idle());
    assert!(!entry(Edit::Write(two)).is_idle());
    assert!(!entry(Edit::Purge(Saw::default())).is_idle());
}

proptest! {
    #[test]
    fn every_outbox_entry_survives_its_record(version in 0_u64..5, with_base in any::<bool>(), purge in any::<bool>(), title in ".{0,40}") {
        let document = document(&title);
        let base = (version > 0).then_some(Leaf { version: Version(version), blob_hash: Hash([7; 32]) });
        let edit = if purge { Edit::Purge(Saw::default()) } else { Edit::Write(document.clone()) };
        let entry = OutboxEntry { base, base_document: with_base.then_some(document), edit };
        prop_assert_eq!(canon::from_bytes::<OutboxEntry>(&canon::to_bytes(&entry)).unwrap(), entry);
    }

    #[test]
    fn a_batch_is_never_empty_while_something_fits(count in 1_u8..100, halvings in 0_usize..12) {
        let mut size = BatchSize::default();
        for _ in 0..halvings {
            size = size.halved();
        }
        let outbox = outbox(count, "title");
        let chosen = size.next(&outbox, None).unwrap();
        prop_assert!(!chosen.is_empty() && chosen.len() <= 64);
        prop_assert!(chosen.iter().all(|item_id| outbox.contains_key(item_id)));
    }
}
