//! A server that does anything: serves any commits that exist in any order from anywhere, or none; answers or not; keeps
//! a revocation from whom it likes; writes with the key of the revoked device and in the name of others.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stateright::{Model, Property};

use super::book::{Book, CommitId, FIRST_LINK, GENESIS, LinkId, Making};
use super::client::{Client, Fork, Without};
use super::fixture::{DEVICES, LOST};

/// What there is: the devices, and everything that the server was ever given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) clients: Vec<Client>,
    commits: BTreeSet<CommitId>,
    links: BTreeSet<LinkId>,
    planted: u8,
    /// A device left a chain that it had pinned.
    went_back: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Write(usize),
    /// The server sends a device these commits as what follows its pin; an answer to its own commit is one.
    Serve(usize, Vec<CommitId>),
    Revoke(usize),
    ServeLink(usize, LinkId),
    /// The server writes with the lost device's key.
    Plant(Making),
    /// The first device's head reaches the second by a way that the server does not see.
    Meet(usize, usize),
}

#[derive(Clone)]
pub(super) struct HostileServer {
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) without: Without,
    /// How many commits the server writes itself.
    pub(super) plants: u8,
}

impl HostileServer {
    pub(super) fn new(without: Without, plants: u8) -> Self {
        Self { book: Arc::new(Mutex::new(Book::new())), without, plants }
    }

    fn is_lost(world: &World) -> bool {
        !world.links.is_empty()
    }

    /// The devices that are honest in this world.
    pub(super) fn honest(world: &World) -> impl Iterator<Item = &Client> {
        let count = if Self::is_lost(world) { LOST } else { DEVICES };
        world.clients[..count].iter()
    }

    /// Every way to serve what exists: each piece of each branch, each also with a commit left out or two swapped.
    fn servings(book: &Book, world: &World) -> BTreeSet<Vec<CommitId>> {
        let mut servings = BTreeSet::new();
        for target in &world.commits {
            let path = book.path(*target);
            for start in 1..path.len() {
                let piece = path[start..].to_vec();
                for middle in 1..piece.len() {
                    let mut swapped = piece.clone();
                    swapped.swap(middle - 1, middle);
                    servings.insert(swapped);
                    if middle + 1 < piece.len() {
                        let mut shorter = piece.clone();
                        shorter.remove(middle);
                        servings.insert(shorter);
                    }
                }
                servings.insert(piece);
            }
        }
        servings
    }

    fn plantings(&self, world: &World) -> Vec<Making> {
        if !Self::is_lost(world) || world.planted >= self.plants {
            return Vec::new();
        }
        let mut plantings = Vec::new();
        let positions = std::iter::once(FIRST_LINK).chain(world.links.iter().copied());
        for position in positions {
            for parent in std::iter::once(GENESIS).chain(world.commits.iter().copied()) {
                for author in [LOST, 0] {
                    plantings.push(Making { parent, author, key: LOST, position });
                }
            }
        }
        plantings
    }

    fn act(&self, book: &mut Book, world: &mut World, action: &Action) -> bool {
        match action {
            Action::Write(device) => match world.clients[*device].write(book) {
                Some(commit) => world.commits.insert(commit),
                None => false,
            },
            Action::Serve(device, entries) => world.clients[*device].receive(book, entries, self.without),
            Action::Revoke(device) => {
                let client = &mut world.clients[*device];
                let link = book.revoke(client.account, *device, client.head());
                world.links.insert(link);
                client.learn(book, link, self.without)
            }
            Action::ServeLink(device, link) => world.clients[*device].learn(book, *link, self.without),
            Action::Plant(making) => {
                world.planted += 1;
                world.commits.insert(book.write(*making))
            }
            Action::Meet(from, to) => {
                let head = world.clients[*from].head();
                world.clients[*to].meet(book, head)
            }
        }
    }
}

impl Model for HostileServer {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            clients: (0..DEVICES).map(Client::new).collect(),
            commits: BTreeSet::new(),
            links: BTreeSet::new(),
            planted: 0,
            went_back: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let book = self.book.lock().unwrap();
        let servings = Self::servings(&book, world);
        for client in Self::honest(world) {
            let device = client.device;
            actions.push(Action::Write(device));
            actions.extend(servings.iter().map(|entries| Action::Serve(device, entries.clone())));
            actions.extend(world.links.iter().map(|link| Action::ServeLink(device, *link)));
            if device != LOST && client.fork.is_none() && client.account == FIRST_LINK {
                actions.push(Action::Revoke(device));
            }
            for other in Self::honest(world).filter(|other| other.device != device) {
                actions.push(Action::Meet(device, other.device));
            }
        }
        actions.extend(self.plantings(world).into_iter().map(Action::Plant));
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut book = self.book.lock().unwrap();
        let mut world = before.clone();
        if !self.act(&mut book, &mut world, &action) {
            return None;
        }
        let moved = world.clients.iter().zip(&before.clients);
        world.went_back |= moved.into_iter().any(|(now, then)| !book.path(now.head()).contains(&then.head()));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "P3 nothing is dropped, reordered or injected",
                |model: &Self, world: &World| {
                    let book = model.book.lock().unwrap();
                    Self::honest(world).all(|client| is_whole(&book, client))
                },
            ),
            Property::always("P4 a pin never goes back", |_, world: &World| !world.went_back),
            Property::always("P5 who meets another branch holds evidence", |model: &Self, world: &World| {
                let mut book = model.book.lock().unwrap();
                meetings_are_evident(&mut book, world)
            }),
            Property::always("P5 a claim is never passed by", |model: &Self, world: &World| {
                let book = model.book.lock().unwrap();
                Self::honest(world).all(|client| client.fork.is_some() || keeps_claims(&book, client))
            }),
            Property::always("R-AUTHOR nothing counts after a cut-off", |model: &Self, world: &World| {
                let book = model.book.lock().unwrap();
                Self::honest(world).all(|client| respects_cut_off(&book, client))
            }),
            Property::sometimes("a device holds evidence of a fork", |_, world: &World| {
                world.clients.iter().any(|client| matches!(client.fork, Some(Fork::Commits(..))))
            }),
            Property::sometimes("a revocation makes a pinned chain a fork", |_, world: &World| {
                world.clients.iter().any(|client| client.fork == Some(Fork::Revoked))
            }),
            Property::sometimes(
                "a lost device's commit counts up to its cut-off",
                |model: &Self, world: &World| {
                    let book = model.book.lock().unwrap();
                    Self::is_lost(world)
                        && world.clients[0].fork.is_none()
                        && counts_lost(&book, &world.clients[0])
                },
            ),
        ]
    }
}

fn lost(book: &Book, commit: CommitId) -> bool {
    book.making(commit).is_some_and(|making| making.author == LOST)
}

fn counts_lost(book: &Book, client: &Client) -> bool {
    book.cut_off(client.account).is_some() && client.chain.iter().any(|commit| lost(book, *commit))
}

/// Each commit follows the one before, was signed by whom it names, and the items add up to the digest.
fn is_whole(book: &Book, client: &Client) -> bool {
    let follows = client.chain.windows(2).all(|pair| {
        book.making(pair[1]).is_some_and(|making| making.parent == pair[0] && making.author == making.key)
    });
    client.chain[0] == GENESIS && follows && book.adds_up(client.pin)
}

fn keeps_claims(book: &Book, client: &Client) -> bool {
    client.claims.iter().all(|claim| client.chain.get(book.seq(*claim)).is_none_or(|own| own == claim))
}

/// As the account's log of this device has it: the chain holds the cut-off, and nothing of the lost device after it.
fn respects_cut_off(book: &Book, client: &Client) -> bool {
    let Some(cut_off) = book.cut_off(client.account).filter(|_| client.fork.is_none()) else { return true };
    let seq = usize::try_from(cut_off.seq.0).unwrap();
    let wrote = client.chain.iter().any(|commit| lost(book, *commit));
    let contains = client.chain.get(seq).is_none_or(|commit| book.head(*commit) == cut_off);
    !wrote || (contains && !client.chain.iter().skip(seq + 1).any(|commit| lost(book, *commit)))
}

/// Whenever two devices stand on two branches, the one that is further finds out by the other's head alone, and the two
/// commits that they hold contradict each other before anybody. Devices on one line never suspect each other.
fn meetings_are_evident(book: &mut Book, world: &World) -> bool {
    let sound: Vec<&Client> = HostileServer::honest(world).filter(|client| client.fork.is_none()).collect();
    sound.iter().all(|one| {
        sound.iter().all(|other| {
            let on_one_line = one.chain.starts_with(&other.chain) || other.chain.starts_with(&one.chain);
            let mut met = (*one).clone();
            met.meet(book, other.head());
            match met.fork {
                Some(Fork::Commits(own, theirs)) => {
                    !on_one_line && book.contradict((own, one.account), (theirs, other.account))
                }
                Some(Fork::Revoked) => false,
                None => on_one_line || one.chain.len() < other.chain.len(),
            }
        })
    })
}
