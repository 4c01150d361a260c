//! A socket that can be ended, and that ends by itself when its client does not do its part.
//!
//! The HTTP library waits for the first head of a connection alone; a second one may come as slowly as it likes. It buffers
//! 128 KiB of a head, or of what follows a request. Here, below it and below TLS, the rules are the same at any time:
//!
//! - no request is under way: the next one has to be there in time, within [`HEAD`] bytes;
//! - one is: at most [`WINDOW`] bytes come before it takes some;
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

/// How long a head may be, in bytes, with what TLS puts around it.
const HEAD: usize = 16 << 10;
/// How much may come ahead of the request that is under way, in bytes.
const WINDOW: usize = 32 << 10;
/// How long nothing of an answer may be taken.
const STALL: Duration = Duration::from_secs(30);

/// A socket with its rules. Dropping it frees its place.
pub(crate) struct Guarded<T> {
    io: T,
    link: Arc<Link>,
    timer: Pin<Box<Sleep>>,
    /// Whether HTTP was given the time to find a request in what has come.
    waited: bool,
    /// Since when the client takes nothing of an answer.
    stalled: Option<Instant>,
}

impl<T> Guarded<T> {
    pub(super) fn new(io: T, link: Arc<Link>) -> Self {
        let timer = Box::pin(sleep_until(link.deadline().unwrap_or_else(Instant::now)));
        Self { io, link, timer, waited: false, stalled: None }
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
        let limit = if self.link.is_under_way() { WINDOW } else { HEAD };
        if self.link.is_draining() || self.link.unread() < limit {
            self.waited = false;
            return false;
        }
        // The request that is under way wakes the task when it takes some. Without one, HTTP may not have looked yet at what has
        // come: it reads as much as there is before it looks.
        if !self.link.is_under_way() {
            if self.waited {
                self.link.end(Limit::LongHead);
                return false;
            }
            self.waited = true;
            cx.waker().wake_by_ref();
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
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        this.link.came(buffer.filled().len() - before);
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
