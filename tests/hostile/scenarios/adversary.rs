//! The adversary: it has heard every answer to every device, holds every past state of the server, has keys of its own,
//! and does to the victim what its attack says.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ciborium::Value;
use lockstep_client::ports::{Method, Request, Response, TransportError};
use lockstep_native::{HttpOptions, HttpTransport};
use lockstep_proto::api::{ErrorCode, PROBLEM_CBOR, Problem};
use lockstep_proto::log::AccountState;
use lockstep_tests::{Adversary, ServerState, TestServer, Way, encode};

use super::super::{mutations, replace_keys};
use super::attack::{Attack, Family};
use super::dice::Dice;
use super::keyring::Keyring;
use super::values;
use super::wire::{Manner, Wire};

/// Statuses that an answer may have.
const STATUSES: [u16; 12] = [200, 204, 304, 400, 401, 403, 404, 409, 429, 500, 503, 507];

/// Byte strings above this length are sealed or signed: hashes, ids, signatures and nonces are not.
const SEALED: usize = 80;

/// An answer, and to whom.
#[derive(Clone)]
pub(crate) struct Heard {
    account: usize,
    device: usize,
    path: String,
    response: Response,
}

/// What the adversary has when an attack begins.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) heard: Vec<Heard>,
    pub(crate) past: Vec<ServerState>,
}

/// Another server, running, and the way to it.
type Elsewhere = (TestServer, Arc<HttpTransport>);

/// One attack on one world.
pub(crate) struct Plot {
    pub(crate) keys: Arc<Keyring>,
    attack: Option<Attack>,
    server: ServerState,
    logs: Vec<AccountState>,
    memory: Mutex<Memory>,
    answered: AtomicUsize,
    requests: Mutex<Vec<(usize, Request)>>,
    /// Which of the victim's answers held something sealed or signed.
    sealed: Mutex<BTreeSet<usize>>,
    /// How many answers the victim had got when the acts were over.
    over: OnceLock<usize>,
    elsewhere: OnceLock<Elsewhere>,
    wire: OnceLock<Wire>,
}

impl Plot {
    pub(crate) fn new(
        attack: Option<Attack>,
        keys: Arc<Keyring>,
        server: ServerState,
        logs: Vec<AccountState>,
        memory: Memory,
    ) -> Arc<Self> {
        Arc::new(Self {
            keys,
            attack,
            server,
            logs,
            memory: Mutex::new(memory),
            answered: AtomicUsize::new(0),
            requests: Mutex::default(),
            sealed: Mutex::default(),
            over: OnceLock::new(),
            elsewhere: OnceLock::new(),
            wire: OnceLock::new(),
        })
    }

    /// What it has heard and held so far.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    /// The acts are over, and so is the attack.
    pub(crate) fn end(&self) {
        self.over.get_or_init(|| self.answered.load(Ordering::SeqCst));
    }

    /// How many answers the victim was given before the end.
    pub(crate) fn answered(&self) -> usize {
        self.over.get().copied().unwrap_or_else(|| self.answered.load(Ordering::SeqCst))
    }

    /// What all devices sent, but for the first `passed` requests.
    pub(crate) fn requests_from(&self, passed: usize) -> Vec<Request> {
        let requests = lock(&self.requests);
        requests.iter().skip(passed).map(|(_, request)| request.clone()).collect()
    }

    /// What this device sent before the end.
    pub(crate) fn requests_of(&self, device: usize) -> Vec<Request> {
        let requests = lock(&self.requests);
        let own = requests.iter().filter(|(by, _)| *by == device);
        own.map(|(_, request)| request.clone()).take(self.answered()).collect()
    }

    /// Whether the victim's answer with this number held something sealed or signed.
    pub(crate) fn is_sealed(&self, number: usize) -> bool {
        lock(&self.sealed).contains(&number)
    }

    /// How many requests went where a redirect pointed.
    pub(crate) fn followed(&self) -> usize {
        self.wire.get().map_or(0, Wire::followed)
    }

    /// The branch that the victim is on, when it is on one of its own.
    pub(crate) fn branch(&self) -> Option<&TestServer> {
        let forks = self.attack.is_some_and(|attack| attack.family == Family::Fork);
        self.elsewhere.get().filter(|_| forks).map(|(server, _)| server)
    }

    fn elsewhere(&self, state: impl FnOnce() -> ServerState) -> Way {
        let (_, way) = self.elsewhere.get_or_init(|| {
            let server = state().start().unwrap();
            let way = HttpTransport::new(&server.url(), &HttpOptions::default()).unwrap();
            (server, Arc::new(way))
        });
        Way::To(way.clone())
    }

    fn wire(&self, manner: Manner) -> Way {
        Way::To(self.wire.get_or_init(|| Wire::new(manner)).way.clone())
    }
}

/// What stands between one device and the server.
pub(crate) struct Ear {
    plot: Arc<Plot>,
    account: usize,
    device: usize,
    is_victim: bool,
}

impl Ear {
    pub(crate) fn new(plot: &Arc<Plot>, account: usize, device: usize, victim: usize) -> Arc<Self> {
        Arc::new(Self { plot: plot.clone(), account, device, is_victim: device == victim })
    }

    /// The attack, if the answer with this number is changed.
    fn due(&self, number: usize) -> Option<(Family, Dice)> {
        let attack = self.plot.attack.filter(|attack| self.is_victim && attack.is_due(number))?;
        let goes_on = self.plot.over.get().is_none();
        goes_on.then(|| (attack.family, attack.dice(number)))
    }
}

impl Adversary for Ear {
    fn way(&self, request: &Request) -> Way {
        lock(&self.plot.requests).push((self.device, request.clone()));
        if !self.is_victim {
            return Way::Server;
        }
        let number = self.plot.answered.fetch_add(1, Ordering::SeqCst);
        let Some((family, mut dice)) = self.due(number) else { return Way::Server };
        match family {
            Family::Redirect => self.plot.wire(Manner::Redirects([301, 302, 303, 307, 308][dice.below(5)])),
            Family::Endless => self.plot.wire(Manner::NeverEnds),
            Family::Truncate if dice.below(3) == 0 => self.plot.wire(Manner::BreaksOff),
            Family::Drop if dice.below(2) == 0 => Way::Nowhere,
            Family::Reorder if dice.below(2) == 0 => Way::Late,
            Family::Fork => self.plot.elsewhere(|| self.plot.server.copy()),
            Family::Past if is_read(request) => self.plot.elsewhere(|| {
                let memory = self.plot.memory();
                dice.pick(&memory.past).unwrap_or(&self.plot.server).copy_in(&self.plot.server)
            }),
            _ => Way::Server,
        }
    }

    fn answer(&self, request: &Request, response: Response) -> Result<Response, TransportError> {
        let number = self.plot.answered.load(Ordering::SeqCst).wrapping_sub(1);
        let longest = values::read(&response.body).as_ref().and_then(values::longest);
        if self.is_victim && longest.is_some_and(|(_, length)| length > SEALED) {
            lock(&self.plot.sealed).insert(number);
        }
        let Some((family, mut dice)) = self.due(number) else {
            self.hear(request, &response);
            return Ok(response);
        };
        let given = match family {
            Family::Drop => return Err(TransportError::TimedOut),
            Family::Replay => self.heard(|heard| heard.device == self.device && heard.path == request.path),
            Family::Reorder => self.heard(|heard| heard.device == self.device),
            Family::Elsewhere => {
                let asked = shape(&request.path);
                let fits = |heard: &Heard| shape(&heard.path) == asked;
                let elsewhere = self.heard(|heard| heard.account != self.account && fits(heard));
                elsewhere.or_else(|| self.heard(|heard| heard.device != self.device && fits(heard)))
            }
            Family::Status => Some(refused(&response, &mut dice)),
            _ => self.rewritten(family, &response, &mut dice),
        };
        self.hear(request, &response);
        Ok(given.unwrap_or(response))
    }
}

impl Ear {
    fn hear(&self, request: &Request, response: &Response) {
        let (account, device) = (self.account, self.device);
        let heard = Heard { account, device, path: request.path.clone(), response: response.clone() };
        self.plot.memory().heard.push(heard);
    }

    /// The latest answer like this.
    fn heard(&self, which: impl Fn(&Heard) -> bool) -> Option<Response> {
        self.plot.memory().heard.iter().rev().find(|heard| which(heard)).map(|heard| heard.response.clone())
    }

    /// The same answer with another body; `None` where this family has no change for it.
    fn rewritten(&self, family: Family, response: &Response, dice: &mut Dice) -> Option<Response> {
        let with = |body: Vec<u8>| Some(Response { body, ..response.clone() });
        let body = &response.body;
        if body.is_empty() {
            return None;
        }
        match family {
            Family::Flip => {
                let mut flipped = body.clone();
                flipped[dice.below(body.len())] ^= 1 << dice.below(8);
                return with(flipped);
            }
            Family::Truncate => return with(body[..dice.below(body.len())].to_vec()),
            _ => {}
        }
        let value = values::read(body)?;
        let changed = match family {
            Family::Field => {
                return dice.pick(&mutations::of_answer(response)).map(|(_, changed)| changed.clone());
            }
            Family::Swap => {
                let memory = self.plot.memory();
                let others: Vec<Value> =
                    (0..3).filter_map(|_| values::read(&dice.pick(&memory.heard)?.response.body)).collect();
                values::swapped(&value, &others, dice)
            }
            Family::Oversize => values::oversized(&value, dice),
            Family::Duplicate => values::duplicated(&value, dice),
            Family::Legacy => Some(values::aged(&value, dice)),
            Family::Seal => {
                let place = self.plot.attack.map_or(0, |attack| attack.seed);
                values::broken(&value, place as usize)
            }
            Family::Keys => Some(self.with_own_keys(value, dice)),
            _ => None,
        };
        with(encode(&changed?))
    }

    fn with_own_keys(&self, mut value: Value, dice: &mut Dice) -> Value {
        let keys = &self.plot.keys;
        if dice.below(3) == 0 {
            let (signing, kem) = keys.public();
            replace_keys(&mut value, &signing, &kem);
        } else {
            values::with_bytes(&mut value, &mut |bytes| keys.substituted(bytes, &self.plot.logs));
        }
        value
    }
}

/// Another status over the same body, or any of the refusals that there are.
fn refused(response: &Response, dice: &mut Dice) -> Response {
    if dice.below(2) == 0 {
        return Response { status: STATUSES[dice.below(STATUSES.len())], ..response.clone() };
    }
    let code = ErrorCode::ALL[dice.below(ErrorCode::ALL.len())];
    let body = encode(&Problem::new(code, "no"));
    Response { status: code.status(), content_type: PROBLEM_CBOR.to_owned(), body, retry_after: Some(900) }
}

/// Whether a request changes nothing.
fn is_read(request: &Request) -> bool {
    let wants_blobs = request.path.ends_with("/blobs") && !request.path.contains("/heal/");
    request.method == Method::Get || wants_blobs
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path without ids and queries: what kind of question it is.
pub(crate) fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| if part.len() > 20 { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
