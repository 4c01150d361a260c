//! What people do, as lists of acts of numbered devices: one to three accounts with one to four devices each, and one of the
//! devices is the one whose server lies.

use std::borrow::Cow;

use super::dice::Dice;

/// One act of one device, by its number. Devices that come are numbered on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Adds an item.
    Add(usize),
    /// Changes an item that it shows.
    Edit(usize),
    /// Puts an item into the trash, and purges it.
    Purge(usize),
    /// Makes a vault.
    NewVault(usize),
    /// Gives its newest vault another name.
    Rename(usize),
    /// Changes the account's password.
    Password(usize),
    /// Changes every key, the Secret Key too.
    Rotate(usize),
    /// Removes another device, which was retired.
    Remove(usize, usize),
    /// Removes another device, which was lost.
    Lose(usize, usize),
    /// Syncs.
    Sync(usize),
    /// A new device signs in to this account with the Kit, and syncs.
    SignIn(usize),
    /// A new device is let in by this one.
    Pair(usize),
    /// A new device takes this account back with the Recovery Key; the others stay.
    Recover(usize),
    /// So many minutes pass.
    Wait(u64),
}

impl Act {
    /// The device that acts.
    pub(crate) fn by(self) -> Option<usize> {
        match self {
            Add(by) | Edit(by) | Purge(by) | NewVault(by) | Rename(by) | Password(by) | Rotate(by) => {
                Some(by)
            }
            Remove(by, _) | Lose(by, _) | Sync(by) | Pair(by) => Some(by),
            SignIn(_) | Recover(_) | Wait(_) => None,
        }
    }
}

/// A name, how many devices each account has, whose server lies, and what happens.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: Cow<'static, str>,
    pub(crate) cast: Cow<'static, [usize]>,
    pub(crate) victim: usize,
    pub(crate) acts: Cow<'static, [Act]>,
}

use Act::{
    Add, Edit, Lose, NewVault, Pair, Password, Purge, Recover, Remove, Rename, Rotate, SignIn, Sync, Wait,
};

const fn scenario(
    name: &'static str,
    cast: &'static [usize],
    victim: usize,
    acts: &'static [Act],
) -> Scenario {
    Scenario { name: Cow::Borrowed(name), cast: Cow::Borrowed(cast), victim, acts: Cow::Borrowed(acts) }
}

/// All of them. The devices of the first account come first, then those of the second.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario(
        "both write",
        &[3],
        1,
        &[
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
    ),
    scenario(
        "a vault is made",
        &[2],
        1,
        &[
            NewVault(0),
            Add(0),
            Sync(0),
            Sync(1),
            NewVault(1),
            Add(1),
            Sync(1),
            Rename(0),
            Sync(0),
            Edit(1),
            Sync(1),
        ],
    ),
    scenario(
        "a device goes",
        &[3],
        1,
        &[
            Add(2),
            Sync(2),
            Sync(1),
            Remove(1, 2),
            Add(2),
            Sync(2),
            Add(1),
            Sync(1),
            Sync(0),
            Edit(0),
            Sync(0),
            Sync(1),
        ],
    ),
    scenario(
        "a device goes elsewhere",
        &[4],
        1,
        &[
            Add(1),
            Sync(1),
            Lose(0, 2),
            Add(2),
            Sync(2),
            Edit(0),
            Sync(0),
            Edit(1),
            Sync(1),
            Add(1),
            Sync(1),
            Sync(3),
        ],
    ),
    scenario(
        "keys change",
        &[2],
        1,
        &[
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
    ),
    scenario(
        "a device comes",
        &[1],
        1,
        &[Add(0), Sync(0), SignIn(0), Edit(1), Sync(1), Sync(0), Edit(0), Sync(0), Sync(1)],
    ),
    scenario(
        "others come",
        &[2],
        1,
        &[Pair(0), Sync(1), Add(2), Sync(2), Recover(0), Sync(1), Edit(1), Sync(1), Add(3), Sync(3), Sync(1)],
    ),
    scenario(
        "time passes",
        &[2],
        1,
        &[
            Add(1),
            Sync(1),
            Wait(11),
            Edit(0),
            Sync(0),
            Sync(1),
            Wait(60 * 24 * 40),
            Edit(1),
            Sync(1),
            Sync(0),
        ],
    ),
    scenario(
        "two accounts",
        &[2, 2],
        1,
        &[
            Add(2),
            Sync(2),
            Add(0),
            Sync(0),
            Sync(1),
            NewVault(3),
            Add(3),
            Sync(3),
            Edit(1),
            Sync(1),
            Sync(2),
            Sync(0),
        ],
    ),
    scenario(
        "three accounts",
        &[1, 4, 2],
        2,
        &[
            Add(0),
            Sync(0),
            Edit(5),
            Sync(5),
            Add(1),
            Sync(1),
            Sync(2),
            Remove(1, 4),
            Rotate(5),
            Sync(2),
            Edit(2),
            Sync(2),
            Sync(3),
            Sync(6),
        ],
    ),
];

/// One that is drawn: which accounts, which devices, whose server lies and what happens.
pub(crate) fn draw(dice: &mut Dice) -> Scenario {
    let cast: Vec<usize> = (0..=dice.below(3)).map(|_| 1 + dice.below(4)).collect();
    let mut devices = Vec::new();
    for (account, count) in cast.iter().enumerate() {
        devices.extend(std::iter::repeat_n(account, *count));
    }
    let (victim, mut gone) = (dice.below(devices.len()), Vec::new());
    let mut acts = Vec::new();
    while acts.len() < 12 {
        let who = if dice.below(2) == 0 { victim } else { dice.below(devices.len()) };
        if gone.contains(&who) {
            continue;
        }
        match dice.below(16) {
            0..4 => acts.push(Add(who)),
            4..8 => acts.push(Edit(who)),
            8 => acts.push(Purge(who)),
            9 => acts.push(NewVault(who)),
            10 => acts.push(Rotate(who)),
            11 => acts.push(Password(who)),
            12 => acts.push(Wait(1 + dice.next() % 2_000)),
            13 => {
                let fellow =
                    |other: &usize| devices[*other] == devices[who] && *other != who && *other != victim;
                let fellows: Vec<usize> =
                    (0..devices.len()).filter(fellow).filter(|other| !gone.contains(other)).collect();
                if let Some(other) = dice.pick(&fellows) {
                    acts.push(Remove(who, *other));
                    gone.push(*other);
                }
            }
            _ => {}
        }
        acts.push(Sync(who));
    }
    let name = format!("drawn {cast:?} {victim} {acts:?}");
    Scenario { name: name.into(), cast: cast.into(), victim, acts: acts.into() }
}
