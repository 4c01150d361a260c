//! What a connection's socket and its requests know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::Connections;
use crate::limits::Limit;
use crate::peer::AddressKey;

/// How long the rest of a body is thrown away after its request was answered. Closing at once would take the answer from who
/// still sends.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// One connection, shared by its socket, its requests and the table of all.
pub(crate) struct Link {
    connections: Arc<Connections>,
    address: AddressKey,
    id: AtomicU64,
    proven: AtomicBool,
    ended: AtomicBool,
    under_way: AtomicBool,
    /// Whether something of the last request's body is still to come. Once that is answered, the library throws it away.
    body_open: AtomicBool,
    /// How many bytes came since a request last took some, began or ended.
    unread: AtomicUsize,
    /// Since when there is no request under way, if there is none.
    quiet_since: Mutex<Instant>,
    waker: AtomicWaker,
}

impl Link {
    pub(super) fn new(connections: Arc<Connections>, address: AddressKey) -> Arc<Self> {
        Arc::new(Self {
            connections,
            address,
            id: AtomicU64::new(u64::MAX),
            proven: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            under_way: AtomicBool::new(false),
            body_open: AtomicBool::new(false),
            unread: AtomicUsize::new(0),
            quiet_since: Mutex::new(Instant::now()),
            waker: AtomicWaker::new(),
        })
    }

    /// It has this place.
    pub(super) fn settle(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }

    /// A session was checked: the connection makes room for nobody any more.
    pub(crate) fn prove(&self) {
        if !self.proven.swap(true, Ordering::Relaxed) {
            self.connections.with(|table| table.prove(self.id.load(Ordering::Relaxed)));
        }
    }

    /// A request has taken bytes, so more may come.
    pub(crate) fn progress(&self) {
        self.unread.store(0, Ordering::Relaxed);
        self.waker.wake();
    }

    /// All of a request's body has come.
    pub(crate) fn body_done(&self) {
        self.body_open.store(false, Ordering::Relaxed);
    }

    /// Ends the connection, from any thread, as if its client had gone: of what is being answered, the client
    /// still gets what it takes at once.
    pub(super) fn end(&self, limit: Limit) {
        if !self.ended.swap(true, Ordering::AcqRel) {
            self.connections.note(limit, self.address);
            self.waker.wake();
        }
    }

    /// Its place is free.
    pub(super) fn leave(&self) {
        self.connections.with(|table| table.leave(self.id.load(Ordering::Relaxed)));
    }

    pub(super) fn wake_later(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Whether what comes is thrown away, so that whoever still sends gets to read why its request was refused.
    pub(super) fn is_draining(&self) -> bool {
        !self.is_under_way() && self.body_open.load(Ordering::Relaxed)
    }

    pub(super) fn unread(&self) -> usize {
        self.unread.load(Ordering::Relaxed)
    }

    pub(super) fn came(&self, bytes: usize) {
        self.unread.fetch_add(bytes, Ordering::Relaxed);
    }

    /// When it ends unless a request begins; `None` while one is under way.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = if self.is_draining() { DRAIN } else { self.connections.rules.head };
        (!self.is_under_way()).then_some(*since + patience)
    }

    /// An answer has gone on its way: from now on the next request is waited for.
    pub(super) fn rest(&self) {
        *self.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

#[cfg(test)]
impl Link {
    /// What its application has counted.
    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        self.connections.app.limit_counts().collect()
    }

    /// A request without a body.
    pub(super) fn begin_test(self: &Arc<Self>) -> impl Drop + use<> {
        UnderWay::begin(self, &HeaderMap::new())
    }
}

/// Marks a request as under way, until it is answered or given up.
struct UnderWay(Arc<Link>);

impl UnderWay {
    fn begin(link: &Arc<Link>, headers: &HeaderMap) -> Self {
        let length = headers.get(CONTENT_LENGTH).map(|length| length.as_bytes() != b"0");
        let has_body = headers.contains_key(TRANSFER_ENCODING) || length == Some(true);
        link.body_open.store(has_body, Ordering::Relaxed);
        link.under_way.store(true, Ordering::Relaxed);
        link.progress();
        Self(link.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.rest();
        self.0.under_way.store(false, Ordering::Relaxed);
        self.0.progress();
    }
}

/// Tells a request's connection that it is under way.
pub(crate) async fn under_way(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let under_way = request.conn_data::<Arc<Link>>().map(|link| UnderWay::begin(link, request.headers()));
    let response = next.call(request).await;
    drop(under_way);
    response
}
