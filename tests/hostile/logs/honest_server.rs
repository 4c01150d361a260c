//! A server that does what it should, and whose operator may restore a backup: compare-and-set, and the catch-up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stateright::{Model, Property};

use super::book::{Book, CommitId, FIRST_LINK, FIRST_STATE, GENESIS, StateId};
use super::client::{Client, Fork, Without};
use super::fixture::LOST;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    clients: Vec<Client>,
    chain: Vec<CommitId>,
    state: StateId,
    backup: Option<(StateId, Vec<CommitId>)>,
    restored: bool,
    /// What was accepted since the start or the restore.
    accepted: BTreeSet<CommitId>,
    /// What some device was told is accepted.
    acknowledged: BTreeSet<CommitId>,
    signed: BTreeSet<CommitId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Write(usize),
    /// The device's commit reaches the server; the answer may be lost, then a pull tells.
    Send(usize),
    Pull(usize),
    Backup,
    Restore,
}

#[derive(Clone)]
pub(super) struct HonestServer {
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) without: Without,
    pub(super) restores: bool,
}

impl HonestServer {
    pub(super) fn new(without: Without, restores: bool) -> Self {
        Self { book: Arc::new(Mutex::new(Book::new())), without, restores }
    }

    /// The commit rule.
    fn accept(&self, book: &mut Book, world: &mut World, commit: CommitId) -> bool {
        let head = world.chain[world.chain.len() - 1];
        if self.without == Without::Compare {
            world.accepted.insert(commit);
        }
        let follows = book.making(commit).is_some_and(|making| making.parent == head);
        let Some(state) = book.follow(world.state, commit, FIRST_LINK).ok().filter(|_| follows) else {
            return self.without == Without::Compare;
        };
        world.state = state;
        world.chain.push(commit);
        world.accepted.insert(commit);
        true
    }

    fn pull(&self, book: &mut Book, world: &mut World, device: usize) -> bool {
        let mut client = world.clients[device].clone();
        let common = client.chain.iter().zip(&world.chain).take_while(|(own, served)| own == served).count();
        let (behind, forked) = (common == world.chain.len(), common < client.chain.len());
        let mut changed = false;
        if behind && client.fork.is_none() {
            // Restored: the device sends again what the server lacks.
            for commit in client.chain.clone().into_iter().skip(common) {
                changed |= self.accept(book, world, commit);
            }
        } else {
            let entries = world.chain[common..].to_vec();
            changed |= client.receive(book, &entries, self.without);
            if !forked {
                world.acknowledged.extend(client.chain.iter().copied());
            }
        }
        world.clients[device] = client;
        changed
    }

    fn act(&self, book: &mut Book, world: &mut World, action: &Action) -> bool {
        match action {
            Action::Write(device) => match world.clients[*device].write(book) {
                Some(commit) => world.signed.insert(commit),
                None => false,
            },
            Action::Send(device) => match world.clients[*device].in_flight {
                Some(commit) if !world.accepted.contains(&commit) => self.accept(book, world, commit),
                _ => false,
            },
            Action::Pull(device) => self.pull(book, world, *device),
            Action::Backup => {
                world.backup = Some((world.state, world.chain.clone()));
                true
            }
            Action::Restore => {
                let Some((state, chain)) = world.backup.take() else { return false };
                (world.state, world.chain, world.restored) = (state, chain, true);
                world.accepted.clear();
                true
            }
        }
    }
}

impl Model for HonestServer {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            clients: (0..=LOST).map(Client::new).collect(),
            chain: vec![GENESIS],
            state: FIRST_STATE,
            backup: None,
            restored: false,
            accepted: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            signed: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for device in 0..world.clients.len() {
            actions.extend([Action::Write(device), Action::Send(device), Action::Pull(device)]);
        }
        if self.restores && !world.restored {
            actions.extend(world.backup.is_none().then_some(Action::Backup));
            actions.extend(world.backup.is_some().then_some(Action::Restore));
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut book = self.book.lock().unwrap();
        let mut world = before.clone();
        self.act(&mut book, &mut world, &action).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one commit is accepted on a head", |model: &Self, world: &World| {
                let book = model.book.lock().unwrap();
                let parents: BTreeSet<_> = world
                    .accepted
                    .iter()
                    .filter_map(|commit| book.making(*commit))
                    .map(|it| it.parent)
                    .collect();
                parents.len() == world.accepted.len()
            }),
            Property::always("no device sees a fork before a restore", |_, world: &World| {
                world.restored || world.clients.iter().all(|client| client.fork.is_none())
            }),
            Property::always("what was acknowledged is held by a device", |_, world: &World| {
                let held = |commit| world.clients.iter().any(|client| client.chain.contains(commit));
                world.acknowledged.iter().all(held)
            }),
            Property::sometimes("a restored server has everything again", |_, world: &World| {
                world.restored
                    && world.acknowledged.len() > 1
                    && world.clients.iter().all(|client| client.chain == world.chain)
            }),
            Property::sometimes("a restore ends in a fork", |_, world: &World| {
                world.clients.iter().any(|client| matches!(client.fork, Some(Fork::Commits(..))))
            }),
            Property::sometimes(
                "a race leaves two commits that contradict each other",
                |model: &Self, world: &World| {
                    let mut book = model.book.lock().unwrap();
                    let signed: Vec<CommitId> = world.signed.iter().copied().collect();
                    !world.restored
                        && signed.iter().any(|one| {
                            signed
                                .iter()
                                .any(|other| book.contradict((*one, FIRST_LINK), (*other, FIRST_LINK)))
                        })
                },
            ),
        ]
    }
}
