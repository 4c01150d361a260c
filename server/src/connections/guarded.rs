//! A socket that can be ended, and that ends by itself when its client does not do its part.
//!
//! The HTTP library waits for the first head of a connection alone; a second one may come as slowly as it likes. It buffers
//! 128 KiB of a head, of what follows a request, or of what it throws away. Here, below it and below TLS, the rules are the same
//! at any time:
//!
//! - no request is under way: the next one has to be there in time, within one portion;
//! - one is: at most a portion comes before it takes some;
//! - what is left of a refused one is thrown away in portions;
//! - an answer is written: some of it has to go within [`STALL`].

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
/// How long nothing of an answer may be taken.
const STALL: Duration = Duration::from_secs(30);

/// A socket with its rules. Dropping it frees its place.
pub(crate) struct Guarded<T> {
    io: T,
    link: Arc<Link>,
    portion: usize,
    timer: Pin<Box<Sleep>>,
    /// Whether HTTP was given the time to find a request in what has come.
    waited: bool,
    /// Since when the client takes nothing of an answer.
    stalled: Option<Instant>,
}

impl<T> Guarded<T> {
    pub(super) fn new(io: T, link: Arc<Link>, portion: usize) -> Self {
        let timer = Box::pin(sleep_until(link.deadline().unwrap_or_else(Instant::now)));
        Self { io, link, portion, timer, waited: false, stalled: None }
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
            self.waited = false;
            return false;
        }
        match (self.link.is_under_way(), self.link.is_draining()) {
            // It wakes the task when it takes some.
            (true, _) => {}
            (false, true) => self.link.progress(),
            (false, false) if self.waited => {
                self.link.end(Limit::LongHead);
                return false;
            }
            // HTTP reads as much as there is before it looks for a request in it: it gets to look now.
            (false, false) => {
                self.waited = true;
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
                match self.stalled {
                    Some(since) if since + STALL <= Instant::now() => {
                        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
                    }
                    _ => Poll::Pending,
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
