//! A socket that can be ended, and that ends by itself when its client does not do its part.
//!
//! The HTTP library waits for the first head of a connection alone; a second one may come as slowly as it likes. It buffers
//! 128 KiB of a head, of what follows a request, or of what it throws away. Here, below it and below TLS, the rules are the same
//! at any time:
//!
//! - no request is under way: the next one has to be there in time, within one portion;
//! - one is: at most a portion comes before it takes some;
//! - what is left of a refused one is thrown away in portions;
//! - an answer is written: some of it has to go within [`STALL`], and at once where the connection has ended.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Link;
use crate::limits::Limit;

/// How many bytes come before a request begins, takes some or ends: so long may a head be, and so much is read ahead.
/// With the kibibyte that HTTP always wants free it fits twice into its smallest buffers.
pub(crate) const PORTION: usize = 7 << 10;
/// The same in TLS, whose records, of 16 KiB at most, are read whole: the handshake, a head, and a record's worth behind it.
pub(crate) const PORTION_IN_TLS: usize = 32 << 10;
/// How often a full portion without a request is left to HTTP. Once would do without TLS, which asks twice before HTTP looks.
const WAITS: u8 = 4;
/// How long nothing of an answer may be taken.
const STALL: Duration = Duration::from_secs(30);

/// A socket with its rules. Dropping it frees its place.
pub(crate) struct Guarded<T> {
    io: T,
    link: Arc<Link>,
    portion: usize,
    timer: Pin<Box<Sleep>>,
    /// How often HTTP was given the time to find a request in what has come.
    waited: u8,
    /// Since when the client takes nothing of an answer.
    stalled: Option<Instant>,
}

impl<T> Guarded<T> {
    pub(super) fn new(io: T, link: Arc<Link>, portion: usize) -> Self {
        let timer = Box::pin(sleep_until(link.deadline().unwrap_or_else(Instant::now)));
        Self { io, link, portion, timer, waited: 0, stalled: None }
    }

    /// What its requests know it by.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The socket itself.
    pub(crate) fn inner(&self) -> &T {
        &self.io
    }

    /// Ends the connection if it is time to, and sees to it that the task is woken then.
    fn watch(&mut self, cx: &mut Context<'_>) {
        self.link.wake_later(cx.waker());
        let (deadline, limit) = match (self.stalled, self.link.deadline()) {
            (Some(since), _) => (since + STALL, Limit::SlowReader),
            (None, Some(deadline)) if self.link.is_draining() => (deadline, Limit::SlowBody),
            (None, Some(deadline)) => (deadline, Limit::SlowHead),
            (None, None) => return,
        };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            self.link.end(limit);
        }
    }

    /// Whether as much has come as may, so that nothing is read now.
    fn is_full(&mut self, cx: &mut Context<'_>) -> bool {
        if self.link.unread() < self.portion {
            self.waited = 0;
            return false;
        }
        match (self.link.is_under_way(), self.link.is_draining()) {
            // It wakes the task when it takes some.
            (true, _) => {}
            (false, true) => self.link.progress(),
            (false, false) if self.waited >= WAITS => {
                self.link.end(Limit::LongHead);
                return false;
            }
            // HTTP reads as much as there is before it looks for a request in it: it gets to look now.
            (false, false) => {
                self.waited += 1;
                cx.waker().wake_by_ref();
            }
        }
        true
    }

    fn wrote<R>(&mut self, outcome: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        match outcome {
            Poll::Ready(_) => {
                self.stalled = None;
                self.link.rest();
                self.watch(cx);
                outcome
            }
            Poll::Pending => {
                self.stalled.get_or_insert_with(Instant::now);
                self.watch(cx);
                // Whoever has lost its place, or takes nothing for too long, is not waited for.
                match self.link.has_ended() {
                    true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                    false => Poll::Pending,
                }
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.watch(cx);
        if this.is_full(cx) && !this.link.has_ended() {
            return Poll::Pending;
        }
        // Nothing was read: the end, as if the client had closed.
        if this.link.has_ended() {
            return Poll::Ready(Ok(()));
        }
        // Never the whole buffer: HTTP doubles one that is full before it asks whether there is more.
        let room = this.portion.saturating_sub(this.link.unread()).min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
        let came = part.filled().len();
        buffer.advance(came);
        this.link.came(came);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.wrote(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        this.wrote(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The HTTP library flushes after every answer: here the wait for the next request begins.
        this.watch(cx);
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

impl<T: ActixStream> ActixStream for Guarded<T> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.io.poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.io.poll_write_ready(cx)
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.link.leave();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lockstep_domain::ServerSecrets;
    use lockstep_domain::services::{Admissions, Ports, SignupRule};
    use lockstep_domain::store::MemoryStore;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::app::App;
    use crate::connections::{ConnectionRules, Connections};
    use crate::peer::AddressKey;
    use crate::system::{SystemClock, SystemRandom};

    const SECOND: Duration = Duration::from_secs(1);

    /// A connection whose client is the other end, which takes so many bytes before it reads.
    fn guarded(takes: usize) -> (Guarded<DuplexStream>, DuplexStream) {
        let random = SystemRandom::new().unwrap();
        let secrets = ServerSecrets::make(&random);
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock),
            random: Arc::new(random),
        };
        let admissions = Admissions::unguarded(SignupRule::Open);
        let app = App::new(ports, &secrets, admissions, Default::default()).unwrap();
        let connections = Connections::new(app, ConnectionRules::default());
        let link = Link::new(connections, AddressKey::V6(0));
        let (io, client) = duplex(takes);
        (Guarded::new(io, link, PORTION), client)
    }

    fn limits(connection: &Guarded<DuplexStream>) -> Vec<&'static str> {
        let counts = connection.link().counts();
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(limit, _)| limit).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends_after_a_while_without_progress() {
        let (mut connection, mut client) = guarded(1_000);
        let begun = Instant::now();
        let writing = async {
            let error = connection.write_all(&[7; 10_000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        };
        let reading = async {
            // Somebody slow takes a little every 20 seconds, and then nothing.
            for _ in 0..3 {
                tokio::time::timeout(20 * SECOND, std::future::pending::<()>()).await.unwrap_err();
                client.read_exact(&mut [0; 1_000]).await.unwrap();
            }
        };
        tokio::join!(writing, reading);
        assert_eq!(begun.elapsed(), 90 * SECOND);
        assert_eq!(limits(&connection), ["slow-reader"]);
        // As for the requests, their client has gone.
        assert_eq!(connection.read(&mut [0; 10]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a50_an_answer_that_nobody_takes_ends_at_once_where_the_place_is_lost() {
        let (mut connection, _client) = guarded(1_000);
        let (begun, link) = (Instant::now(), connection.link().clone());
        let writing = async {
            let error = connection.write_all(&[7; 10_000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        };
        tokio::join!(writing, async { link.end(Limit::Connections) });
        assert_eq!(begun.elapsed(), Duration::ZERO);
        // What the client takes at once, it still gets.
        let (mut connection, _client) = guarded(1_000);
        connection.link().end(Limit::Connections);
        connection.write_all(&[7; 1_000]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_ahead_of_a_request_is_a_portion() {
        let (mut connection, mut client) = guarded(100_000);
        client.write_all(&[7; 50_000]).await.unwrap();
        let under_way = connection.link().begin_test();
        let mut all = vec![0; 50_000];
        connection.read_exact(&mut all[..PORTION]).await.unwrap();
        let more = tokio::time::timeout(100 * SECOND, connection.read(&mut all)).await;
        assert!(more.is_err(), "no more before the request has taken some");
        connection.link().progress();
        connection.read_exact(&mut all[..PORTION]).await.unwrap();
        assert!(limits(&connection).is_empty());
        // After it, the next one has its time and its portion.
        drop(under_way);
        let begun = Instant::now();
        connection.read_exact(&mut all[..PORTION - 1]).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(connection.read(&mut all[..1]).await.unwrap(), 1);
        assert_eq!(connection.read(&mut all).await.unwrap(), 0);
        assert!(begun.elapsed() < SECOND);
        assert_eq!(limits(&connection), ["long-head"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_let_go() {
        let (mut connection, _client) = guarded(1);
        let begun = Instant::now();
        assert_eq!(connection.read(&mut [0; 10]).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), 15 * SECOND);
        assert_eq!(limits(&connection), ["slow-head"]);
    }
}
