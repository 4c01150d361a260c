//! What people do, as lists of acts. The second device is the one whose server lies.

/// The devices of a scenario.
pub(crate) const DEVICES: usize = 3;

/// One act of one device, by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Adds an item.
    Add(usize),
    /// Changes the newest item that it shows.
    Edit(usize),
    /// Puts its oldest item into the trash, and purges it.
    Purge(usize),
    /// Makes a vault.
    NewVault(usize),
    /// Changes the account's password.
    Password(usize),
    /// Changes every key.
    Rotate(usize),
    /// Removes another device.
    Remove(usize, usize),
    /// Syncs.
    Sync(usize),
    /// A new device signs in, syncs, and is gone again.
    SignIn,
}

/// A name and what happens.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) acts: &'static [Act],
}

use Act::{Add, Edit, NewVault, Password, Purge, Remove, Rotate, SignIn, Sync};

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "both write",
        acts: &[
            Add(0),
            Sync(0),
            Add(1),
            Sync(1),
            Edit(0),
            Edit(1),
            Sync(0),
            Sync(1),
            Sync(0),
            Purge(1),
            Sync(1),
            Sync(0),
        ],
    },
    Scenario {
        name: "a vault is made",
        acts: &[
            NewVault(0),
            Add(0),
            Sync(0),
            Sync(1),
            NewVault(1),
            Add(1),
            Sync(1),
            Sync(0),
            Edit(1),
            Sync(1),
        ],
    },
    Scenario {
        name: "a device goes",
        acts: &[Add(2), Sync(2), Sync(1), Remove(1, 2), Add(1), Sync(1), Sync(0), Edit(0), Sync(0), Sync(1)],
    },
    Scenario {
        name: "a device goes elsewhere",
        acts: &[Add(1), Sync(1), Remove(0, 2), Edit(0), Sync(0), Edit(1), Sync(1), Add(1), Sync(1), Sync(0)],
    },
    Scenario {
        name: "keys change",
        acts: &[
            Add(0),
            Sync(0),
            Rotate(0),
            Sync(1),
            Add(1),
            Sync(1),
            Password(1),
            Sync(1),
            Rotate(1),
            Add(1),
            Sync(1),
            Sync(0),
        ],
    },
    Scenario {
        name: "a device comes",
        acts: &[Add(0), Sync(0), SignIn, Sync(1), Edit(1), Sync(1), SignIn, Sync(0)],
    },
];
