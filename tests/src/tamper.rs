//! A hostile server: it answers what the test wants, and everything that it is sent is remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockstep_client::ports::{Request, Response, Transport, TransportError};
use lockstep_native::{HttpOptions, HttpTransport};

use crate::server::TestServer;

/// What becomes of an honest answer.
pub type Change = Arc<dyn Fn(&Request, Response) -> Response + Send + Sync>;

/// Where a request goes.
pub enum Way {
    /// To the server.
    Server,
    /// To the server, as this one instead.
    Instead(Request),
    /// Somewhere else.
    To(Arc<HttpTransport>),
    /// To the server, after the next one; the device waits in vain.
    Late,
    /// Nowhere.
    Nowhere,
}

/// Who decides on every request and every answer of a device.
pub trait Adversary: Send + Sync {
    /// Where the request goes.
    fn way(&self, request: &Request) -> Way;

    /// What the device is given for this answer.
    ///
    /// # Errors
    /// What the device meets instead of an answer.
    fn answer(&self, request: &Request, response: Response) -> Result<Response, TransportError>;
}

/// Which requests.
type Which = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// The way to a real server whose answers are changed.
pub struct Tamper {
    way: Mutex<Arc<HttpTransport>>,
    other: Mutex<Option<(Arc<HttpTransport>, Which)>>,
    change: Mutex<Option<Change>>,
    adversary: Mutex<Option<Arc<dyn Adversary>>>,
    late: Mutex<Vec<Request>>,
    seen: Mutex<Vec<Request>>,
    answers: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Tamper {
    /// An honest server.
    pub fn new(way: HttpTransport) -> Self {
        let way = Mutex::new(Arc::new(way));
        Self {
            way,
            other: Mutex::new(None),
            change: Mutex::new(None),
            adversary: Mutex::new(None),
            late: Mutex::default(),
            seen: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// From now on answers are changed like this.
    pub fn answer(&self, change: impl Fn(&Request, Response) -> Response + Send + Sync + 'static) {
        *lock(&self.change) = Some(Arc::new(change));
    }

    /// From now on answers are changed as those of another one.
    pub fn answer_as(&self, other: &Self) {
        *lock(&self.change) = lock(&other.change).clone();
    }

    /// From now on this adversary decides, until [`Self::be_honest`].
    pub fn obey(&self, adversary: Arc<dyn Adversary>) {
        *lock(&self.adversary) = Some(adversary);
    }

    /// From now on answers are the truth.
    pub fn be_honest(&self) {
        *lock(&self.change) = None;
        *lock(&self.adversary) = None;
    }

    /// From now on this server answers.
    ///
    /// # Errors
    /// When there is no network.
    pub fn switch_to(&self, server: &TestServer) -> anyhow::Result<()> {
        *lock(&self.way) = Arc::new(HttpTransport::new(&server.url(), &HttpOptions::default())?);
        Ok(())
    }

    /// From now on `server` answers these requests.
    ///
    /// # Errors
    /// When there is no network.
    pub fn answer_from(
        &self,
        server: &TestServer,
        which: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let way = Arc::new(HttpTransport::new(&server.url(), &HttpOptions::default())?);
        *lock(&self.other) = Some((way, Arc::new(which)));
        Ok(())
    }

    /// The body of the last answer from this path, as it was given.
    pub fn last_answer(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.answers).get(path).cloned()
    }

    /// Everything that was sent so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen_from(0)
    }

    /// What was sent so far, but for the first `passed`.
    pub fn seen_from(&self, passed: usize) -> Vec<Request> {
        lock(&self.seen).get(passed..).unwrap_or_default().to_vec()
    }
}

#[async_trait::async_trait]
impl Transport for Tamper {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        lock(&self.seen).push(request.clone());
        let adversary = lock(&self.adversary).clone();
        if let Some(adversary) = adversary {
            return self.send_past(&*adversary, request).await;
        }
        let other = lock(&self.other).clone().filter(|(_, which)| which(&request));
        let way = other.map_or_else(|| lock(&self.way).clone(), |(way, _)| way);
        let response = way.send(request.clone()).await?;
        let change = lock(&self.change).clone();
        let given = match change {
            Some(change) => change(&request, response),
            None => response,
        };
        lock(&self.answers).insert(request.path, given.body.clone());
        Ok(given)
    }
}

impl Tamper {
    /// Sends what the adversary lets pass. What was late arrives behind it.
    async fn send_past(
        &self,
        adversary: &dyn Adversary,
        request: Request,
    ) -> Result<Response, TransportError> {
        let server = lock(&self.way).clone();
        let late = std::mem::take(&mut *lock(&self.late));
        let response = match adversary.way(&request) {
            Way::Server => server.send(request.clone()).await,
            Way::Instead(other) => server.send(other).await,
            Way::To(other) => other.send(request.clone()).await,
            Way::Late => {
                lock(&self.late).push(request.clone());
                Err(TransportError::TimedOut)
            }
            Way::Nowhere => Err(TransportError::Unreachable(None)),
        };
        for request in late {
            // Nobody waits for the answer any more.
            drop(server.send(request).await);
        }
        let given = adversary.answer(&request, response?)?;
        lock(&self.answers).insert(request.path, given.body.clone());
        Ok(given)
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
