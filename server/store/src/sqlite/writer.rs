//! The one thread that writes, with group commit.

use std::sync::Arc;
use std::thread;

use lockstep_domain::store::StoreError;
use rusqlite::{Connection, ffi};
use tokio::sync::{mpsc, oneshot};

use super::{failed, is_full};

/// How many changes share one transaction at most.
const GROUP: usize = 64;
/// How many changes wait at most; beyond, callers wait for a place.
const QUEUE: usize = 1_024;

/// Whether a change is to be kept.
pub(super) enum Verdict<T> {
    /// Keep what was written.
    Keep(T),
    /// Undo whatever was written.
    Undo(T),
}

/// A change that waits: runs inside a savepoint, is answered after COMMIT.
trait Change: Send {
    /// Writes, and says what is to become of what was written.
    fn run(&mut self, connection: &Connection) -> Ran;
    /// Answers the caller.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// How a change went.
enum Ran {
    /// What was written stays.
    Keep,
    /// It goes.
    Undo,
    /// It goes, and SQLite may have undone the whole transaction, for this reason.
    Failed(Option<ffi::Error>),
}

struct Waiting<F, T> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Change for Waiting<F, T>
where
    F: FnOnce(&Connection) -> rusqlite::Result<Verdict<T>> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Ran {
        let Some(work) = self.work.take() else { return Ran::Undo };
        let (ran, outcome) = match work(connection) {
            Ok(Verdict::Keep(outcome)) => (Ran::Keep, Ok(outcome)),
            Ok(Verdict::Undo(outcome)) => (Ran::Undo, Ok(outcome)),
            Err(error) => (Ran::Failed(error.sqlite_error().copied()), Err(failed(error))),
        };
        self.outcome = Some(outcome);
        ran
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = self.outcome.unwrap_or(Err(StoreError::Closed));
        // A caller that went away needs no answer; the change stands.
        let _ = self.reply.send(committed.and(outcome));
    }
}

/// The writing thread and the way to it. Dropping it waits until the thread has finished what waits.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Change>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let builder = thread::Builder::new().name("sqlite-writer".into());
        let thread = builder.spawn(move || write_all(&connection, waiting))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a transaction of its own or shared with others; answers when it is durable.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<Verdict<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let change = Box::new(Waiting { work: Some(work), outcome: None, reply });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(change).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

fn write_all(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Change>>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let done = write_group(connection, &mut group).map_err(Arc::new);
        for change in group.drain(..) {
            let answer = done.clone().map_err(shared);
            change.answer(answer);
        }
    }
}

/// A failure of the transaction that several changes shared: each caller gets its own error, with the same cause.
fn shared(cause: Arc<rusqlite::Error>) -> StoreError {
    if is_full(&cause) { StoreError::Full(Box::new(cause)) } else { StoreError::Failed(Box::new(cause)) }
}

fn write_group(connection: &Connection, group: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    connection.execute_batch("begin immediate")?;
    let written = write_each(connection, group).and_then(|()| connection.execute_batch("commit"));
    if written.is_err() && !connection.is_autocommit() {
        connection.execute_batch("rollback")?;
    }
    written
}

fn write_each(connection: &Connection, group: &mut [Box<dyn Change>]) -> rusqlite::Result<()> {
    for change in group {
        connection.execute_batch("savepoint change")?;
        match change.run(connection) {
            Ran::Keep => {}
            // A full disk ends the transaction, with what the others wrote in it: they are told the same.
            Ran::Failed(Some(cause)) if connection.is_autocommit() => {
                return Err(rusqlite::Error::SqliteFailure(cause, None));
            }
            Ran::Undo | Ran::Failed(_) => connection.execute_batch("rollback to change")?,
        }
        connection.execute_batch("release change")?;
    }
    Ok(())
}
