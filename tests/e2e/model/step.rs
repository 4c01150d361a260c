//! What can happen, as data: every step can be done in every state, so any of them can be left out.

use proptest::collection::vec;
use proptest::prelude::*;

/// How many devices there are.
pub(crate) const DEVICES: usize = 4;
/// The fields that are edited.
pub(crate) const FIELDS: [&str; 3] = ["username", "password", "notes"];
/// The files that are imported, each of so many records.
pub(crate) const FILES: usize = 3;
pub(crate) const RECORDS: u8 = 4;

/// One step. Numbers choose among what there is; a device and an item are always there.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A new item.
    Add {
        device: usize,
        vault: usize,
    },
    /// A new value in a field.
    Set {
        device: usize,
        item: usize,
        field: usize,
    },
    /// So many new values in a field, one after the other, that its history does not hold them all.
    SetOften {
        device: usize,
        item: usize,
        field: usize,
    },
    /// The same new stamp in all fields.
    SetAll {
        device: usize,
        item: usize,
    },
    /// One of the values of a field in conflict, or a new one, is chosen.
    Resolve {
        device: usize,
        item: usize,
        field: usize,
        choice: usize,
    },
    Trash {
        device: usize,
        item: usize,
    },
    Restore {
        device: usize,
        item: usize,
    },
    Purge {
        device: usize,
        item: usize,
    },
    /// As an app moves an item into another vault: what it holds is saved there as a new item, then it goes to the trash
    /// here.
    Move {
        device: usize,
        item: usize,
    },
    /// A file with records that have ids of their own.
    Import {
        device: usize,
        vault: usize,
        file: usize,
    },
    Sync {
        device: usize,
    },
    /// Two devices sync at the same time.
    Together {
        one: usize,
        other: usize,
    },
    /// A device has no network for some of its syncs.
    Offline {
        device: usize,
        syncs: usize,
    },
    /// The next requests of a device fail.
    Fault {
        device: usize,
        how: How,
        after: usize,
        times: usize,
    },
    /// What is late arrives.
    Late {
        device: usize,
    },
    /// A device dies at this moment of a sync, and starts again.
    Kill {
        device: usize,
        moment: usize,
    },
    /// A device's disk is full at this moment of a sync.
    Full {
        device: usize,
        moment: usize,
    },
    /// A device starts again.
    Restart {
        device: usize,
    },
    /// A device's clock is set off by so many days.
    Clock {
        device: usize,
        days: i64,
    },
}

/// How a request fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Unreachable,
    AnswerLost,
    Doubled,
    Late,
    Garbage,
}

fn step() -> impl Strategy<Value = Step> {
    let device = || 0..DEVICES;
    let item = || 0..64_usize;
    let field = || 0..FIELDS.len();
    let how = prop_oneof![
        Just(How::Unreachable),
        Just(How::AnswerLost),
        Just(How::Doubled),
        Just(How::Late),
        Just(How::Garbage)
    ];
    prop_oneof![
        2 => (device(), 0..2_usize).prop_map(|(device, vault)| Step::Add { device, vault }),
        16 => (device(), item(), field()).prop_map(|(device, item, field)| Step::Set { device, item, field }),
        1 => (device(), item(), field()).prop_map(|(device, item, field)| Step::SetOften { device, item, field }),
        2 => (device(), item()).prop_map(|(device, item)| Step::SetAll { device, item }),
        3 => (device(), item(), field(), 0..4_usize)
            .prop_map(|(device, item, field, choice)| Step::Resolve { device, item, field, choice }),
        3 => (device(), item()).prop_map(|(device, item)| Step::Trash { device, item }),
        2 => (device(), item()).prop_map(|(device, item)| Step::Restore { device, item }),
        2 => (device(), item()).prop_map(|(device, item)| Step::Purge { device, item }),
        1 => (device(), item()).prop_map(|(device, item)| Step::Move { device, item }),
        1 => (device(), 0..2_usize, 0..FILES)
            .prop_map(|(device, vault, file)| Step::Import { device, vault, file }),
        12 => device().prop_map(|device| Step::Sync { device }),
        4 => (device(), device()).prop_map(|(one, other)| Step::Together { one, other }),
        1 => (device(), 1..5_usize).prop_map(|(device, syncs)| Step::Offline { device, syncs }),
        4 => (device(), how, 0..6_usize, 1..6_usize)
            .prop_map(|(device, how, after, times)| Step::Fault { device, how, after, times }),
        1 => device().prop_map(|device| Step::Late { device }),
        3 => (device(), 0..24_usize).prop_map(|(device, moment)| Step::Kill { device, moment }),
        1 => (device(), 0..24_usize).prop_map(|(device, moment)| Step::Full { device, moment }),
        1 => device().prop_map(|device| Step::Restart { device }),
        1 => (device(), -4_000..4_000_i64).prop_map(|(device, days)| Step::Clock { device, days }),
    ]
}

/// A run of so many steps.
pub(crate) fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), count..=count)
}
