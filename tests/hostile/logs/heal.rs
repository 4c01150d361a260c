//! Joining two branches by a heal commit (R-HEAL). What there is and who has what are numbers here; whether a chain is
//! taken, and where a device may go, the real verifier says over real commits ([`super::chains`]).

use std::sync::Arc;

use lockstep_proto::log::Line;
use stateright::{Model, Property};

use super::chains::{Chains, GENESIS, Id, Known};

/// What stands in a commit that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    id: Id,
    parent: u8,
    seq: u8,
    /// A heal's A side.
    side: Option<u8>,
    author: u8,
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
    /// What a revoked device wrote on a side, unseen by who revoked it, makes the chain invalid.
    JudgedBeside,
}

#[derive(Clone)]
pub(super) struct Healing {
    commits: usize,
    restores: u8,
    otherwise: Otherwise,
    chains: Arc<Chains>,
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

    fn push(&mut self, node: Node) -> u8 {
        self.nodes.push(node);
        u8::try_from(self.nodes.len() - 1).unwrap()
    }

    fn among(&self, commits: u32) -> impl Iterator<Item = u8> + '_ {
        (0..self.nodes.len() as u8).filter(move |commit| commits & (1 << commit) != 0)
    }

    fn ids(&self, commits: u32) -> Vec<Id> {
        self.among(commits).map(|commit| self.node(commit).id).collect()
    }

    /// What a device knows of the account's log.
    fn known(&self, device: u8) -> Known {
        let cut_off = self.cut_off.filter(|_| self.informed & (1 << device) != 0);
        cut_off.map(|commit| self.node(commit).id)
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
    pub(super) fn new(commits: usize, restores: u8, otherwise: Otherwise) -> Self {
        Self { commits, restores, otherwise, chains: Arc::new(Chains::new()) }
    }

    /// The chain that ends there, if it is valid for a device.
    fn line(&self, world: &World, device: u8, head: u8) -> Option<Arc<Line>> {
        let chain = world.line(head);
        let line =
            self.chains.line(&world.ids(chain), &world.ids(world.covers(head)), world.known(device))?;
        let is_judged = self.otherwise == Otherwise::Judged;
        let takes = |last: &lockstep_proto::log::LastChange| !(is_judged && last.is_void);
        let beside = world.ids(world.covers(head) & !chain);
        let is_refused = self.otherwise == Otherwise::JudgedBeside && self.chains.has_void(&line, &beside);
        (line.items().values().all(takes) && !is_refused).then_some(line)
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
        let is_valid = self.line(world, device, pin).is_some();
        if is_valid && world.holds(head, world.line(pin)) {
            // Catch-up: the server gets again what it lacks.
            world.head = pin;
            return true;
        }
        let served = self.line(world, device, head);
        let pinned = self.chains.head(world.node(pin).id);
        let continues = |line: &Line| {
            let any = self.otherwise == Otherwise::AnySide && world.heals_after_fork(pin).next().is_some();
            any || line.covers(&pinned)
        };
        let is_served_valid = served.is_some();
        if served.is_some_and(|line| continues(&line)) {
            world.pins[usize::from(device)] = head;
            return true;
        }
        if device == LOST {
            return false;
        }
        // Also a device that learns that its own branch is not valid joins it. Where the server's is not, either, it may have
        // to wait: who revoked can join over that one.
        self.join(world, device, is_valid || is_served_valid)
    }

    fn join(&self, world: &mut World, device: u8, must: bool) -> bool {
        let (pin, head) = (world.pins[usize::from(device)], world.head);
        let over =
            |side: u8| self.otherwise != Otherwise::OwnSidesOnly || world.holds(side, world.covers(pin));
        let may = world.heals_after_fork(pin).filter_map(|heal| world.node(heal).side).all(over);
        if may && world.nodes.len() >= self.commits {
            return false;
        }
        if world.holds(head, world.line(pin)) {
            // There is nothing yet that its own branch could be joined to.
            return false;
        }
        let was = world.stuck;
        let common = world.line(pin) & world.line(head);
        let fork = world.among(common).last().unwrap();
        let [parent, fork, side] = [head, fork, pin].map(|commit| world.node(commit).id);
        let id = self.chains.heal(parent, fork, side, device, world.known(device));
        let seq = world.node(pin).seq.max(world.node(head).seq) + 1;
        let heal = world.push(Node { id, parent: head, seq, side: Some(pin), author: device });
        if !may || self.line(world, device, heal).is_none() {
            world.nodes.pop();
            world.stuck |= must;
            return world.stuck != was;
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
        if self.line(world, device, pin).is_none() {
            return false;
        }
        let id = self.chains.write(world.node(pin).id, device, world.known(device));
        let seq = world.node(pin).seq + 1;
        let commit = world.push(Node { id, parent: pin, seq, side: None, author: device });
        if self.line(world, device, commit).is_none() {
            world.nodes.pop();
            return false;
        }
        world.head = commit;
        world.pins[usize::from(device)] = commit;
        if device != LOST {
            world.acknowledged |= 1 << commit;
        }
        true
    }

    /// Of the lost device counts what is in its cut-off's history, and nothing else.
    fn counts_no_more(&self, world: &World, device: u8, pin: u8) -> bool {
        let (Some(cut_off), Some(line)) = (world.cut_off, self.line(world, device, pin)) else { return true };
        let unseen = world.covers(pin) & !world.covers(cut_off);
        let of_lost = world.among(unseen).filter(|commit| world.node(*commit).author == LOST);
        let of_lost: Vec<Id> = of_lost.map(|commit| world.node(commit).id).collect();
        !self.chains.takes(&line, &of_lost)
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
            nodes: vec![Node { id: GENESIS, parent: 0, seq: 0, side: None, author: 0 }],
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
            moved && world.informed & (1 << device) != 0 && !self.counts_no_more(&world, device, pin)
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
