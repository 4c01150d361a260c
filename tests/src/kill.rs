//! A device that dies, or whose parts fail, at a step that the test chooses.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// A moment around a write or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The local store is about to write.
    BeforeWrite,
    /// It has written, and nobody knows yet.
    AfterWrite,
    /// A request is about to go out.
    BeforeRequest,
    /// The server has acted, and nobody knows yet.
    AfterRequest,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The process is gone: the call never comes back.
    Kill,
    /// The write fails with a full disk, or the request without an answer.
    Fail,
}

/// Counts steps, and ends one of them.
#[derive(Default)]
pub struct KillSwitch {
    passed: AtomicUsize,
    armed: Mutex<Option<(usize, End)>>,
    fired: Notify,
}

impl KillSwitch {
    /// From now on steps are counted from 0, and number `step` ends like this.
    pub fn arm(&self, step: usize, end: End) {
        self.passed.store(0, Ordering::SeqCst);
        *self.lock() = Some((step, end));
    }

    /// From now on steps are counted from 0, and none ends.
    pub fn disarm(&self) {
        self.passed.store(0, Ordering::SeqCst);
        *self.lock() = None;
    }

    /// Steps since it was armed or disarmed.
    pub fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    /// Waits until the process is gone.
    pub async fn killed(&self) {
        self.fired.notified().await;
    }

    /// Runs work that a kill may cut off; `None` when it did.
    pub async fn survive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.killed() => None,
            outcome = work => Some(outcome),
        }
    }

    /// Passes a step: never comes back from a kill; `true` when it is to fail. What was done cannot fail any more.
    pub(crate) async fn pass(&self, step: Step) -> bool {
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        let end = self.lock().filter(|(at, _)| *at == number).map(|(_, end)| end);
        match end {
            None => false,
            Some(End::Fail) => step != Step::AfterWrite,
            Some(End::Kill) => {
                self.fired.notify_one();
                pending().await
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(usize, End)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
