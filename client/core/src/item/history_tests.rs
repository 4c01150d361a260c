//! Conflicts and trash against a model that knows what happened before what.
//!
//! The model never merges: it keeps every write as an event with the events that its writer had seen.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use lockstep_proto::ids::DeviceId;
use proptest::collection::vec;
use proptest::prelude::*;

use super::merge::merge;
use super::*;

const DEVICES: usize = 3;
const FIELDS: [&str; 2] = ["password", "name"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Writes a new value over what is shown.
    Set(usize),
    /// Writes a new value over everything that waits for a choice.
    Resolve(usize),
    Trash,
    Restore,
    /// Receives everything that another device has.
    Pull(usize),
}

struct Event {
    act: Act,
    stamp: Stamp,
    since_ms: u64,
    /// Everything its writer had seen.
    past: BTreeSet<usize>,
    /// What it was written over.
    over: BTreeSet<usize>,
}

#[derive(Clone)]
struct Device {
    document: Document,
    seen: BTreeSet<usize>,
}

struct World {
    events: Vec<Event>,
    devices: Vec<Device>,
    clocks: [u64; DEVICES],
}

impl World {
    fn new(clocks: [u64; DEVICES]) -> Self {
        let author = Author { now_ms: 1_000, device: DeviceId([0; 16]) };
        let draft = Draft::by("login", author).unwrap().set(FIELDS[0], "0").set(FIELDS[1], "0");
        let stamp = Stamp::new(1_000, 0, author.device).unwrap();
        let made =
            Event { act: Act::Restore, stamp, since_ms: 0, past: BTreeSet::new(), over: BTreeSet::new() };
        let device = Device { document: draft.build().unwrap(), seen: [0].into() };
        Self { events: vec![made], devices: vec![device; DEVICES], clocks }
    }

    fn step(&mut self, number: usize, act: Act) {
        if let Act::Pull(from) = act {
            let from = self.devices[from].clone();
            let to = &mut self.devices[number];
            to.document = merge(&to.document, &from.document);
            to.seen.extend(from.seen);
            return;
        }
        self.clocks[number] += 1;
        let author =
            Author { now_ms: self.clocks[number], device: DeviceId([u8::try_from(number).unwrap(); 16]) };
        let over = match act {
            Act::Set(field) => self.heads(number, field).into_iter().take(1).collect(),
            Act::Resolve(field) => self.heads(number, field).into_iter().collect(),
            _ => BTreeSet::new(),
        };
        let value = format!("{}", self.events.len());
        let device = &mut self.devices[number];
        let stamp = device.document.next_stamp(author).unwrap();
        let edit = device.document.edit(author);
        let edit = match act {
            Act::Set(field) => edit.set(FIELDS[field], value),
            Act::Resolve(field) => edit.resolve(FIELDS[field], value),
            Act::Trash => edit.trash(),
            _ => edit.restore(),
        };
        assert!(edit.apply().unwrap());
        let past = std::mem::take(&mut device.seen);
        device.seen = past.iter().copied().chain([self.events.len()]).collect();
        self.events.push(Event { act, stamp, since_ms: author.now_ms, past, over });
    }

    /// The writes of a field that a device has seen, newest first.
    fn writes(&self, number: usize, field: usize) -> Vec<usize> {
        let of_field = |event: &&usize| {
            **event == 0 || [Act::Set(field), Act::Resolve(field)].contains(&self.events[**event].act)
        };
        let mut writes: Vec<usize> = self.devices[number].seen.iter().filter(of_field).copied().collect();
        writes.sort_by_key(|event| std::cmp::Reverse(self.events[*event].stamp));
        writes
    }

    /// What is shown, and then what nobody has written over: by the model.
    fn heads(&self, number: usize, field: usize) -> Vec<usize> {
        let writes = self.writes(number, field);
        let over: BTreeSet<usize> =
            writes.iter().flat_map(|event| &self.events[*event].over).copied().collect();
        let is_head = |(place, event): &(usize, usize)| *place == 0 || !over.contains(event);
        writes.into_iter().enumerate().filter(is_head).map(|(_, event)| event).collect()
    }

    /// The same by happened-before alone, for histories in which every write ends the conflicts it sees.
    fn maxima(&self, number: usize, field: usize) -> Vec<usize> {
        let writes = self.writes(number, field);
        let before = |event: &usize| writes.iter().any(|other| self.events[*other].past.contains(event));
        writes.iter().filter(|event| !before(event)).copied().collect()
    }

    fn trash(&self, number: usize) -> TrashState {
        let seen = || self.devices[number].seen.iter().map(|event| &self.events[*event]);
        let about_trash = seen().filter(|event| [Act::Trash, Act::Restore].contains(&event.act));
        let last = about_trash.max_by_key(|event| event.stamp).unwrap();
        let unseen = |event: &usize| self.events[*event].act != Act::Trash && !last.past.contains(event);
        match last.act {
            Act::Trash if self.devices[number].seen.iter().any(unseen) => TrashState::BroughtBack,
            Act::Trash => TrashState::Trashed { since_ms: last.since_ms },
            _ => TrashState::Live,
        }
    }

    /// What the document of a device shows and what waits for a choice there, as events.
    fn shown(&self, number: usize, field: usize) -> Vec<usize> {
        let document = &self.devices[number].document;
        let number_of = |value: &Value| value.as_text().unwrap().parse::<usize>().unwrap();
        let register = document.register(FIELDS[field]).unwrap();
        let losers = register.conflicts().into_iter().map(|entry| number_of(entry.value()));
        std::iter::once(number_of(register.winner().value())).chain(losers).collect()
    }
}

fn act(resolving: bool) -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..FIELDS.len()).prop_map(move |field| if resolving { Act::Resolve(field) } else { Act::Set(field) }),
        1 => (0..FIELDS.len()).prop_map(Act::Resolve),
        1 => Just(Act::Trash),
        1 => Just(Act::Restore),
        4 => (0..DEVICES).prop_map(Act::Pull),
    ]
}

fn history(resolving: bool) -> impl Strategy<Value = Vec<(usize, Act)>> {
    vec((0..DEVICES, act(resolving)), 0..30)
}

/// Clocks that agree, that are behind, that are a day ahead.
fn clocks() -> impl Strategy<Value = [u64; DEVICES]> {
    prop_oneof![
        Just([2_000; DEVICES]),
        Just([2_000, 5, 90_000_000]),
        [0..5_000_u64, 0..5_000_u64, 0..5_000_u64],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_conflict_is_what_nobody_has_written_over(steps in history(false), clocks in clocks()) {
        let mut world = World::new(clocks);
        for (number, act) in steps {
            world.step(number, act);
            for field in 0..FIELDS.len() {
                prop_assert_eq!(world.shown(number, field), world.heads(number, field));
            }
            prop_assert_eq!(world.devices[number].document.trash_state(), world.trash(number));
        }
    }

    #[test]
    fn conflicts_are_exactly_the_concurrent_writes(steps in history(true), clocks in clocks()) {
        let mut world = World::new(clocks);
        for (number, act) in steps {
            world.step(number, act);
            for field in 0..FIELDS.len() {
                prop_assert_eq!(world.shown(number, field), world.maxima(number, field));
            }
        }
    }

    #[test]
    fn devices_that_have_seen_the_same_hold_the_same_bytes(steps in history(false), clocks in clocks()) {
        let mut world = World::new(clocks);
        for (number, act) in steps {
            world.step(number, act);
        }
        for (to, from) in [(0, 1), (0, 2), (2, 0), (1, 0)] {
            world.step(to, Act::Pull(from));
        }
        let bytes: BTreeSet<Vec<u8>> = world.devices.iter().map(|device| device.document.to_bytes()).collect();
        prop_assert_eq!(bytes.len(), 1);
    }
}

/// Every sequence of up to three acts that touch the trash.
fn sequences() -> Vec<Vec<Act>> {
    let acts = [Act::Set(0), Act::Set(1), Act::Trash, Act::Restore];
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..3 {
        let longer =
            longest.iter().flat_map(|begun| acts.iter().map(|act| [begun.as_slice(), &[*act]].concat()));
        longest = longer.collect();
        all.extend(longest.clone());
    }
    all
}

#[test]
fn trash_meets_concurrent_edits_as_the_model_says_in_every_order() {
    let (mut trashed, mut brought_back) = (0, 0);
    for clocks in [[2_000, 2_000, 0], [2_000, 50_000, 0], [50_000, 10, 0]] {
        for ours in sequences() {
            for theirs in sequences() {
                let mut world = World::new(clocks);
                ours.iter().for_each(|act| world.step(0, *act));
                theirs.iter().for_each(|act| world.step(1, *act));
                world.step(0, Act::Pull(1));
                world.step(1, Act::Pull(0));
                let state = world.devices[0].document.trash_state();
                assert_eq!(state, world.trash(0), "{ours:?} against {theirs:?}");
                assert!(
                    world.devices[0].document == world.devices[1].document,
                    "{ours:?} against {theirs:?}"
                );
                trashed += usize::from(matches!(state, TrashState::Trashed { .. }));
                brought_back += usize::from(state == TrashState::BroughtBack);
                world.step(1, Act::Trash);
                assert!(matches!(world.devices[1].document.trash_state(), TrashState::Trashed { .. }));
                world.step(1, Act::Restore);
                assert_eq!(world.devices[1].document.trash_state(), TrashState::Live);
            }
        }
    }
    assert!(trashed > 300 && brought_back > 300, "{trashed} and {brought_back}");
}
