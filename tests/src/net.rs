//! A network that fails where the test says so.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_client::ports::{Method, Request, Response, Transport, TransportError};
use lockstep_native::HttpTransport;

use crate::kill::{KillSwitch, Step};
use crate::tamper::Tamper;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The server never sees it.
    Unreachable,
    /// The server acts on it, and its answer is lost.
    AnswerLost,
    /// The server sees it twice.
    Doubled,
    /// The server sees it when [`FaultyNet::deliver_late`] says so, long after the device has given up on an answer.
    Late,
    /// Something else answers, with this status and no body that means anything.
    Garbage(u16),
    /// Somebody changes the answer's body on the way: the server itself, if it is hostile.
    Tampered(fn(Vec<u8>) -> Vec<u8>),
}

type Which = fn(&Request) -> bool;

/// What happens elsewhere before a request goes out.
pub type Interlude = Box<dyn FnMut(&Request) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The way to a real server, with faults.
pub struct FaultyNet {
    inner: Tamper,
    faults: Mutex<Vec<(Which, Option<Fault>, usize)>>,
    sent: AtomicUsize,
    interlude: Mutex<Option<Interlude>>,
    late: Mutex<Vec<Request>>,
    switch: Arc<KillSwitch>,
}

impl FaultyNet {
    /// A network without faults.
    pub fn new(inner: HttpTransport, switch: Arc<KillSwitch>) -> Self {
        let (faults, interlude, late) = (Mutex::new(Vec::new()), Mutex::new(None), Mutex::new(Vec::new()));
        Self { inner: Tamper::new(inner), faults, sent: AtomicUsize::new(0), interlude, late, switch }
    }

    /// From now on the next `times` requests of this kind fail like this.
    pub fn fail(&self, which: Which, fault: Fault, times: usize) {
        self.lock().push((which, Some(fault), times));
    }

    /// From now on nothing gets through.
    pub fn cut(&self) {
        self.fail(|_| true, Fault::Unreachable, usize::MAX);
    }

    /// The next `times` requests get through, before what is said later.
    pub fn let_through(&self, times: usize) {
        self.lock().push((|_| true, None, times));
    }

    /// The next `times` requests get through, and then none.
    pub fn cut_after(&self, times: usize) {
        self.let_through(times);
        self.cut();
    }

    /// From now on everything works again.
    pub fn mend(&self) {
        self.lock().clear();
    }

    /// From now on this happens before every request.
    pub fn before(&self, interlude: Interlude) {
        *self.interlude() = Some(interlude);
    }

    /// From now on nothing happens in between.
    pub fn undisturbed(&self) {
        *self.interlude() = None;
    }

    /// Everything that is late arrives now, in order.
    pub async fn deliver_late(&self) {
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        for request in late {
            // Nobody waits for the answer any more.
            drop(self.inner.send(request).await);
        }
    }

    /// Who answers: honest until told otherwise.
    pub fn server(&self) -> &Tamper {
        &self.inner
    }

    /// Requests that reached the server so far.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Which, Option<Fault>, usize)>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn interlude(&self) -> std::sync::MutexGuard<'_, Option<Interlude>> {
        self.interlude.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, request: &Request) -> Option<Fault> {
        let mut faults = self.lock();
        let (_, fault, left) = faults.iter_mut().find(|(which, _, left)| *left > 0 && which(request))?;
        *left = left.saturating_sub(1);
        *fault
    }
}

#[async_trait::async_trait]
impl Transport for FaultyNet {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if self.switch.pass(Step::BeforeRequest).await {
            return Err(TransportError::Unreachable(None));
        }
        let response = self.pass_on(request).await;
        match self.switch.pass(Step::AfterRequest).await {
            true => Err(TransportError::TimedOut),
            false => response,
        }
    }
}

impl FaultyNet {
    async fn pass_on(&self, request: Request) -> Result<Response, TransportError> {
        let interlude = self.interlude().as_mut().map(|interlude| interlude(&request));
        if let Some(interlude) = interlude {
            interlude.await;
        }
        match self.fault(&request) {
            Some(Fault::Unreachable) => return Err(TransportError::Unreachable(None)),
            Some(Fault::Garbage(status)) => {
                let body = b"<html>gateway</html>".to_vec();
                return Ok(Response {
                    status,
                    content_type: "text/html".to_owned(),
                    body,
                    retry_after: None,
                });
            }
            Some(Fault::AnswerLost) => {
                self.sent.fetch_add(1, Ordering::SeqCst);
                self.inner.send(request).await?;
                return Err(TransportError::TimedOut);
            }
            Some(Fault::Doubled) => drop(self.inner.send(request.clone()).await),
            Some(Fault::Late) => {
                self.late.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                return Err(TransportError::TimedOut);
            }
            Some(Fault::Tampered(tamper)) => {
                let response = self.inner.send(request).await?;
                return Ok(Response { body: tamper(response.body), ..response });
            }
            None => {}
        }
        self.sent.fetch_add(1, Ordering::SeqCst);
        self.inner.send(request).await
    }
}

/// Whether a request brings a commit.
pub fn is_commit(request: &Request) -> bool {
    request.method == Method::Post && request.path.ends_with("/commits")
}

/// Whether a request asks for commits.
pub fn asks_commits(request: &Request) -> bool {
    request.method == Method::Get && request.path.contains("/commits")
}

/// Whether a request asks for control commits.
pub fn asks_control(request: &Request) -> bool {
    request.path.contains("/control")
}

/// Whether a request asks for the items of a vault.
pub fn asks_items(request: &Request) -> bool {
    request.method == Method::Get && request.path.contains("/items")
}

/// Whether a request asks for blobs.
pub fn asks_blobs(request: &Request) -> bool {
    request.path.ends_with("/blobs")
}

/// Whether a request brings links.
pub fn is_link(request: &Request) -> bool {
    request.method == Method::Post && request.path.ends_with("/account/links")
}
