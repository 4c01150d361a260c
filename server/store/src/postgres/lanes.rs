//! Lanes: commits wait by vault, and a free lane takes all that waits for it into one transaction.
//!
//! **Invariants:** two commits of one vault are never in one transaction, and stay in the order in which they came; a
//! commit is answered after its transaction is durable, or with an error when that is not known.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};

use deadpool_postgres::Pool;
use lockstep_domain::store::{CommitOutcome, NewCommit, StoreError};
use lockstep_proto::ids::{Seq, VaultId};
use lockstep_proto::log::CommitKind;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::commit::{Verdict, alone, many, overtaken};
use super::connect::connection;

/// How many lanes there are; each uses one connection while it has work.
const LANES: usize = 8;
/// How many commits share one transaction at most.
pub(super) const GROUP: usize = 64;
/// How many commits wait in a lane at most; beyond, callers wait for a place.
const QUEUE: usize = 256;

struct Waiting {
    commit: NewCommit,
    reply: oneshot::Sender<Result<CommitOutcome, StoreError>>,
}

/// The ways into the lanes. They end when this is dropped and nothing waits.
pub(super) struct Lanes(Vec<mpsc::Sender<Waiting>>);

impl Lanes {
    pub(super) fn start(runtime: &Runtime, pool: &Pool) -> Self {
        let lane = |_| {
            let (sender, waiting) = mpsc::channel(QUEUE);
            runtime.spawn(run(pool.clone(), waiting));
            sender
        };
        Self((0..LANES).map(lane).collect())
    }

    /// Makes a commit in its vault's lane; answers when it is durable.
    pub(super) async fn commit(&self, commit: NewCommit) -> Result<CommitOutcome, StoreError> {
        let lane = lane(commit.vault_id);
        let (reply, answer) = oneshot::channel();
        self.0[lane].send(Waiting { commit, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Which lane a vault's commits go into.
pub(super) fn lane(vault_id: VaultId) -> usize {
    let mut hasher = DefaultHasher::new();
    vault_id.0.hash(&mut hasher);
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or(0)
}

/// Vaults whose head a lane remembers, at most.
const REMEMBERED: usize = 4_096;

/// One lane's work.
struct Lane {
    pool: Pool,
    /// Where vaults were when last heard of, to tell who has been overtaken. The database's word replaces it.
    heads: HashMap<VaultId, Seq>,
}

async fn run(pool: Pool, mut incoming: mpsc::Receiver<Waiting>) {
    let mut lane = Lane { pool, heads: HashMap::new() };
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            match incoming.recv().await {
                Some(first) => waiting.push_back(first),
                None => return,
            }
        }
        while waiting.len() < QUEUE
            && let Ok(next) = incoming.try_recv()
        {
            waiting.push_back(next);
        }
        let (late, rest) = waiting.into_iter().partition(|next: &Waiting| lane.is_late(&next.commit));
        waiting = lane.answer_late(late).await;
        waiting.extend::<Vec<_>>(rest);
        let group = take_group(&mut waiting);
        lane.make(group).await;
    }
}

/// The first that waits, and those behind it that may share its transaction.
fn take_group(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut group: Vec<Waiting> = Vec::new();
    let mut left = VecDeque::new();
    let mut passed = Vec::new();
    for next in waiting.drain(..) {
        let vault_id = next.commit.vault_id;
        let alone = !shares(&next.commit) || group.first().is_some_and(|first| !shares(&first.commit));
        let full = group.len() >= GROUP || (alone && !group.is_empty());
        let behind =
            passed.contains(&vault_id) || group.iter().any(|taken| taken.commit.vault_id == vault_id);
        if full || behind {
            passed.push(vault_id);
            left.push_back(next);
        } else {
            group.push(next);
        }
    }
    *waiting = left;
    group
}

/// Commits that set members or are of another kind run alone.
fn shares(commit: &NewCommit) -> bool {
    commit.row.kind == CommitKind::Content && commit.members.is_none()
}

impl Lane {
    fn is_late(&self, commit: &NewCommit) -> bool {
        self.heads.get(&commit.vault_id).is_some_and(|head| commit.after.seq < *head)
    }

    /// Answers all that were overtaken with one read; gives them back where that fails.
    async fn answer_late(&mut self, late: Vec<Waiting>) -> VecDeque<Waiting> {
        if late.is_empty() {
            return VecDeque::new();
        }
        let commits: Vec<_> = late.iter().map(|waiting| &waiting.commit).collect();
        let outcomes = match connection(&self.pool).await {
            Ok(client) => overtaken(&client, &commits).await,
            Err(error) => Err(error),
        };
        let Ok(outcomes) = outcomes else { return late.into() };
        for (waiting, outcome) in late.into_iter().zip(outcomes) {
            self.answer(waiting, Ok(outcome));
        }
        VecDeque::new()
    }

    /// Makes all of them together, and alone whichever is not decided so.
    async fn make(&mut self, mut group: Vec<Waiting>) {
        if group.len() > 1 {
            group = self.together(group).await;
        }
        for waiting in group {
            let outcome = match connection(&self.pool).await {
                Ok(client) => alone(&client, &waiting.commit).await,
                Err(error) => Err(error),
            };
            self.answer(waiting, outcome);
        }
    }

    /// One transaction for all; gives back what is to be judged alone. Where the transaction fails as a whole that is
    /// everything: a commit that did land then answers that it is there already.
    async fn together(&mut self, group: Vec<Waiting>) -> Vec<Waiting> {
        let commits: Vec<_> = group.iter().map(|waiting| &waiting.commit).collect();
        let verdicts = match connection(&self.pool).await {
            Ok(client) => many(&client, &commits).await,
            Err(error) => Err(error),
        };
        let Ok(verdicts) = verdicts else { return group };
        let mut left = Vec::new();
        for (waiting, verdict) in group.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Final(outcome) => self.answer(waiting, Ok(outcome)),
                Verdict::Anew => left.push(waiting),
            }
        }
        left
    }

    fn answer(&mut self, waiting: Waiting, outcome: Result<CommitOutcome, StoreError>) {
        use CommitOutcome::{Already, Committed, HeadMoved, Quota};
        if let Ok(Already(at) | Committed(at) | HeadMoved(at) | Quota(at)) = &outcome {
            if self.heads.len() >= REMEMBERED {
                self.heads.clear();
            }
            self.heads.insert(waiting.commit.vault_id, at.head.seq);
        }
        // A caller that went away needs no answer; the commit stands.
        let _ = waiting.reply.send(outcome);
    }
}
