//! Joining two branches by a heal commit (R-HEAL), at the level of the rules: the verifier answers "update needed" to
//! heal commits so far, so commits here are numbers and whether a heal is accepted is decided as the rules say.

use stateright::{Model, Property};

/// What stands in a commit that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    parent: u8,
    seq: u8,
    /// A heal's A side.
    side: Option<u8>,
    by_lost: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    /// All commits; the first is the genesis.
    nodes: Vec<Node>,
    head: u8,
    /// Whether the server has the link that revokes the lost device, or lost it with a restore.
    revoked: bool,
    backup: Option<(u8, bool)>,
    restores: u8,
    pins: Vec<u8>,
    /// The cut-off of the lost device, once it is revoked.
    cut_off: Option<u8>,
    /// Which devices know of it.
    informed: u8,
    /// What honest devices wrote and the server accepted.
    acknowledged: u32,
    /// A pin moved to where what it had is not a part.
    left_behind: bool,
    /// A device that knew of the revocation moved to where the lost one's later commits count.
    took_too_much: bool,
    /// A device may neither follow nor join.
    stuck: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Write(u8),
    Sync(u8),
    Revoke(u8),
    Backup,
    Restore,
}

/// What is decided otherwise than the rules have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    Nothing,
    /// A device takes a heal whatever its A side.
    AnySide,
    /// A device joins over a heal only if the heal's A side is part of what it has.
    OwnSidesOnly,
    /// What a revoked device wrote on B is judged by its cut-off although a heal writes over it.
    Judged,
}

#[derive(Clone)]
pub(super) struct Healing {
    pub(super) commits: usize,
    pub(super) restores: u8,
    pub(super) otherwise: Otherwise,
}

const DEVICES: u8 = 3;
/// The device that may be revoked. It goes on using what it has, where the server lets it.
const LOST: u8 = 2;

impl World {
    fn node(&self, commit: u8) -> Node {
        self.nodes[usize::from(commit)]
    }

    /// A commit and those before it, as a set.
    fn line(&self, commit: u8) -> u32 {
        let (mut at, mut line) = (commit, 1 << commit);
        while at != 0 {
            at = self.node(at).parent;
            line |= 1 << at;
        }
        line
    }

    /// All that counts at a commit: those before it, and the A sides of heals among them.
    fn covers(&self, commit: u8) -> u32 {
        let mut covered = self.line(commit);
        for heal in 0..=commit {
            if covered & (1 << heal) != 0
                && let Some(side) = self.node(heal).side
            {
                covered |= self.covers(side);
            }
        }
        covered
    }

    fn push(&mut self, parent: u8, seq: u8, side: Option<u8>, by: u8) -> u8 {
        self.nodes.push(Node { parent, seq, side, by_lost: by == LOST });
        u8::try_from(self.nodes.len() - 1).unwrap()
    }

    fn holds(&self, commit: u8, among: u32) -> bool {
        among & (1 << commit) != 0
    }

    /// The heals of the served branch after what it has in common with the pin.
    fn heals_after_fork(&self, pin: u8) -> impl Iterator<Item = u8> + '_ {
        let served = self.line(self.head) & !self.line(pin);
        (0..self.nodes.len() as u8)
            .filter(move |commit| self.holds(*commit, served))
            .filter(|commit| self.node(*commit).side.is_some())
    }
}

impl Healing {
    /// Whether a chain is valid for a device: nothing that the lost device wrote after its cut-off counts. On the B side of
    /// a heal it does not count either, since it is written over.
    fn is_valid(&self, world: &World, device: u8, head: u8) -> bool {
        let Some(cut_off) = world.cut_off.filter(|_| world.informed & (1 << device) != 0) else {
            return true;
        };
        let line = world.line(head);
        let mended = (0..=head)
            .filter(|heal| world.holds(*heal, line))
            .filter(|heal| {
                world.node(*heal).side.is_some_and(|side| world.holds(cut_off, world.covers(side)))
            })
            .fold(0, |mended, heal| mended | world.line(world.node(heal).parent));
        let contains = world.holds(cut_off, world.covers(head));
        let below = |commit: u8| contains && world.node(commit).seq <= world.node(cut_off).seq;
        (0..=head).filter(|commit| world.holds(*commit, line) && world.node(*commit).by_lost).all(|commit| {
            match self.otherwise {
                Otherwise::Judged => below(commit),
                _ => world.holds(commit, world.line(cut_off)) || world.holds(commit, mended),
            }
        })
    }

    /// Of the server and the device whoever lacks the revocation gets it.
    fn sync_account(world: &mut World, device: u8) {
        if world.revoked {
            world.informed |= 1 << device;
        }
        world.revoked |= world.informed & (1 << device) != 0;
    }

    /// The account's log first, then the vault.
    fn sync(&self, world: &mut World, device: u8) -> bool {
        if device == LOST && world.revoked {
            return false;
        }
        let before = (world.informed, world.revoked);
        Self::sync_account(world, device);
        let moved = self.sync_vault(world, device);
        moved || before != (world.informed, world.revoked)
    }

    fn sync_vault(&self, world: &mut World, device: u8) -> bool {
        let (pin, head) = (world.pins[usize::from(device)], world.head);
        if pin == head {
            return false;
        }
        let sound = self.is_valid(world, device, pin);
        if sound && world.holds(head, world.line(pin)) {
            // Catch-up: the server gets again what it lacks.
            world.head = pin;
            return true;
        }
        let takes = |side: u8| self.otherwise == Otherwise::AnySide || world.holds(pin, world.covers(side));
        let continues = world.holds(pin, world.line(head))
            || world.heals_after_fork(pin).filter_map(|heal| world.node(heal).side).any(takes);
        if continues && self.is_valid(world, device, head) {
            world.pins[usize::from(device)] = head;
            return true;
        }
        // A device that learns that its own pin is invalid waits for another one's heal.
        sound && device != LOST && self.join(world, device)
    }

    fn join(&self, world: &mut World, device: u8) -> bool {
        let (pin, head) = (world.pins[usize::from(device)], world.head);
        let over =
            |side: u8| self.otherwise != Otherwise::OwnSidesOnly || world.holds(side, world.covers(pin));
        let may = world.heals_after_fork(pin).filter_map(|heal| world.node(heal).side).all(over);
        if may && world.nodes.len() >= self.commits {
            return false;
        }
        let was = world.stuck;
        let seq = world.node(pin).seq.max(world.node(head).seq) + 1;
        let heal = world.push(head, seq, Some(pin), device);
        if !may || !self.is_valid(world, device, heal) {
            world.nodes.pop();
            world.stuck = true;
            return !was;
        }
        world.head = heal;
        world.pins[usize::from(device)] = heal;
        true
    }

    fn write(&self, world: &mut World, device: u8) -> bool {
        let pin = world.pins[usize::from(device)];
        let barred = device == LOST && world.revoked;
        if pin != world.head || barred || world.nodes.len() >= self.commits {
            return false;
        }
        Self::sync_account(world, device);
        if !self.is_valid(world, device, pin) {
            return false;
        }
        let commit = world.push(pin, world.node(pin).seq + 1, None, device);
        world.head = commit;
        world.pins[usize::from(device)] = commit;
        if device != LOST {
            world.acknowledged |= 1 << commit;
        }
        true
    }

    /// After the last heal, what the lost device wrote is before its cut-off.
    fn counts_no_more(world: &World, pin: u8) -> bool {
        let (Some(cut_off), line) = (world.cut_off, world.line(pin)) else { return true };
        let after_heal =
            (0..=pin).filter(|heal| world.holds(*heal, line) && world.node(*heal).side.is_some()).max();
        after_heal.is_none_or(|heal| {
            (heal..=pin)
                .filter(|commit| world.holds(*commit, line) && world.node(*commit).by_lost)
                .all(|commit| world.holds(commit, world.line(cut_off)))
        })
    }

    fn revoke(world: &mut World, device: u8) -> bool {
        let pin = world.pins[usize::from(device)];
        if pin != world.head {
            return false;
        }
        world.cut_off = Some(pin);
        world.informed = 1 << device;
        world.revoked = true;
        true
    }
}

impl Model for Healing {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            nodes: vec![Node { parent: 0, seq: 0, side: None, by_lost: false }],
            head: 0,
            revoked: false,
            backup: None,
            restores: 0,
            pins: vec![0; usize::from(DEVICES)],
            cut_off: None,
            informed: 0,
            acknowledged: 0,
            left_behind: false,
            took_too_much: false,
            stuck: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for device in 0..DEVICES {
            actions.extend([Action::Write(device), Action::Sync(device)]);
        }
        actions.extend(world.cut_off.is_none().then_some(Action::Revoke(0)));
        if world.restores < self.restores {
            actions.push(Action::Backup);
            actions.extend(world.backup.is_some().then_some(Action::Restore));
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let changed = match action {
            Action::Write(device) => self.write(&mut world, device),
            Action::Sync(device) => self.sync(&mut world, device),
            Action::Revoke(device) => Self::revoke(&mut world, device),
            Action::Backup => {
                let now = Some((world.head, world.revoked));
                std::mem::replace(&mut world.backup, now) != now
            }
            Action::Restore => {
                (world.head, world.revoked) = world.backup.unwrap_or_default();
                world.restores += 1;
                true
            }
        };
        let keeps = |(now, then): (&u8, &u8)| world.holds(*then, world.covers(*now));
        let left = !world.pins.iter().zip(&before.pins).all(keeps);
        world.left_behind |= left;
        world.took_too_much |= (0..LOST).any(|device| {
            let pin = world.pins[usize::from(device)];
            let moved = pin != before.pins[usize::from(device)];
            moved && world.informed & (1 << device) != 0 && !Self::counts_no_more(&world, pin)
        });
        changed.then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what a device had is a part of where it goes", |_, world: &World| {
                !world.left_behind
            }),
            Property::always("devices in step have everything that was acknowledged", |_, world: &World| {
                let in_step = world.pins[..usize::from(LOST)].iter().all(|pin| *pin == world.head);
                !in_step || world.acknowledged & !world.covers(world.head) == 0
            }),
            Property::always("positions only grow along a chain", |_, world: &World| {
                world.nodes[1..].iter().all(|node| node.seq > world.node(node.parent).seq)
            }),
            Property::always("of a lost device counts what its cut-off holds", |_, world: &World| {
                !world.took_too_much
            }),
            Property::always("every device can follow or join", |_, world: &World| !world.stuck),
            Property::sometimes("devices are in step after a heal", |_, world: &World| {
                let in_step = world.pins[..usize::from(LOST)].iter().all(|pin| *pin == world.head);
                in_step && world.node(world.head).side.is_some()
            }),
        ]
    }
}
