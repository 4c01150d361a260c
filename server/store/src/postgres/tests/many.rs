//! Many writers on two nodes, as chance has it. A failure names its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_domain::store::{CommitOutcome, NewCommit, VaultStore as _};
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;

use super::super::PostgresStore;
use super::made_up::{genesis, next, vault_id, whole_chain};
use super::scene::Scene;

const VAULTS: u64 = 5;
const TASKS: u64 = 12;
const STEPS: u64 = 15;

/// A generator that says the same for the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct Writer {
    nodes: [Arc<PostgresStore>; 2],
    dice: Dice,
    heads: BTreeMap<VaultId, LogHead>,
    won: Vec<(VaultId, LogHead)>,
    seed: u64,
}

impl Writer {
    /// Commits to some vault at some node: alone, twice at once, or with the next one close behind.
    async fn step(&mut self, salt: u64) {
        let vault_id = vault_id(self.dice.roll(VAULTS));
        let after = self.heads.get(&vault_id).copied().unwrap_or(genesis());
        let (node, kind) = (self.dice.roll(2) as usize, self.dice.roll(3));
        let commit = next(vault_id, after, salt);
        let (one, two) = (&self.nodes[node], &self.nodes[1 - node]);
        match kind {
            0 => {
                let outcome = one.commit(commit.clone()).await.unwrap();
                self.learn(&commit, outcome);
            }
            1 => {
                let (first, second) = tokio::join!(one.commit(commit.clone()), two.commit(commit.clone()));
                let (first, second) = (first.unwrap(), second.unwrap());
                let fits = matches!(
                    (first, second),
                    (CommitOutcome::Committed(_), CommitOutcome::Already(_))
                        | (CommitOutcome::Already(_), CommitOutcome::Committed(_))
                        | (CommitOutcome::HeadMoved(_), CommitOutcome::HeadMoved(_))
                );
                assert!(fits, "seed {}: {first:?} {second:?}", self.seed);
                self.learn(&commit, first);
                self.learn(&commit, second);
            }
            _ => {
                let follower = next(vault_id, commit.row.head, salt + 1);
                let (first, second) = tokio::join!(one.commit(commit.clone()), two.commit(follower.clone()));
                self.learn(&commit, first.unwrap());
                self.learn(&follower, second.unwrap());
            }
        }
    }

    fn learn(&mut self, commit: &NewCommit, outcome: CommitOutcome) {
        let standing = match outcome {
            CommitOutcome::Committed(standing) => {
                assert_eq!(standing.head, commit.row.head);
                self.won.push((commit.vault_id, standing.head));
                standing
            }
            CommitOutcome::Already(standing) | CommitOutcome::HeadMoved(standing) => standing,
            other => panic!("seed {}: {other:?}", self.seed),
        };
        let known = self.heads.entry(commit.vault_id).or_insert(standing.head);
        *known = (*known).max(standing.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_many_writers_do_every_win_is_in_the_chain_once_and_nothing_else() {
    let vaults: Vec<_> = (0..VAULTS).map(vault_id).collect();
    for seed in [1, 77, 4_242] {
        let scene = Scene::new(&vaults).await;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let dice = Dice(seed * 1_000 + task + 1);
                let nodes = scene.nodes.clone();
                let mut writer = Writer { nodes, dice, heads: BTreeMap::new(), won: Vec::new(), seed };
                tokio::spawn(async move {
                    for step in 0..STEPS {
                        writer.step((task * STEPS + step) * 2 + 1).await;
                    }
                    writer.won
                })
            })
            .collect();
        let mut won: Vec<(VaultId, LogHead)> = Vec::new();
        for task in tasks {
            won.extend(task.await.unwrap());
        }
        let wins: BTreeSet<_> = won.iter().copied().collect();
        assert_eq!(wins.len(), won.len(), "seed {seed}: a win is told once");
        let mut stored = BTreeSet::new();
        for vault_id in &vaults {
            let chain = whole_chain(&scene.nodes[0], *vault_id).await;
            stored.extend(chain[1..].iter().map(|head| (*vault_id, *head)));
        }
        assert_eq!(stored, wins, "seed {seed}");
    }
}
