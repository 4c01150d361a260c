//! Slots that come with links: all that are named, and no other.

use lockstep_proto::api::{SLOT_LIMIT, SLOTS_PER_REQUEST};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::log::LinkBody;

use super::fixture::*;
use crate::services::slots::{SlotFault, given_up, new_slots};

/// An account before and after a rekey, and the slots that it names.
fn rekeyed() -> (TestAccount, TestAccount, Vec<Bytes>) {
    let before = TestAccount::new(&World::new(), "ann", "phone");
    let mut after = before.clone();
    let (rekey, slots) = after.rekey(&[]);
    after.sign("phone", LinkBody::Rekey(Box::new(rekey)));
    (before, after, slots)
}

#[test]
fn exactly_the_new_slots_of_a_link_come_with_it() {
    let (before, after, slots) = rekeyed();
    let judge = |sent: &[Bytes]| new_slots(Some(&before.state), &after.state, sent);
    let stored = judge(&slots).unwrap();
    assert_eq!(stored.len(), slots.len());
    for at in 0..slots.len() {
        let mut lacking = slots.clone();
        lacking.remove(at);
        assert_eq!(judge(&lacking), Err(SlotFault::Missing));
    }
    let with = |extra: Bytes| slots.iter().cloned().chain([extra]).collect::<Vec<_>>();
    assert_eq!(judge(&with(slot("nobody's"))), Err(SlotFault::Unnamed));
    // The same one twice is one slot.
    assert_eq!(judge(&with(slots[0].clone())).unwrap(), stored);
    for size in [Vec::new(), vec![1; SLOT_LIMIT + 1]] {
        assert_eq!(judge(&with(size.into())), Err(SlotFault::Size));
    }
    assert_eq!(judge(&vec![slots[0].clone(); SLOTS_PER_REQUEST + 1]), Err(SlotFault::Size));
}

/// What is still named was stored before and need not come again; what a log no longer names goes.
#[test]
fn slots_that_are_stored_need_not_come_again_and_those_of_no_state_go() {
    let (before, after, slots) = rekeyed();
    assert_eq!(new_slots(Some(&after.state), &after.state, &[]), Ok(Vec::new()));
    assert_eq!(new_slots(None, &after.state, &[]), Err(SlotFault::Missing));
    assert!(new_slots(None, &after.state, &slots).is_ok());
    let gone = given_up(&before.state, &after.state);
    assert!(!gone.is_empty() && gone.is_disjoint(&after.state.kept_slot_hashes()));
    // One that went is not kept in anybody's hands: it is not taken back.
    let old: Vec<Bytes> = ["ann password", "ann secret key"].map(slot).to_vec();
    let back: Vec<Bytes> = slots.iter().cloned().chain(old).collect();
    assert_eq!(new_slots(Some(&before.state), &after.state, &back), Err(SlotFault::Unnamed));
}
