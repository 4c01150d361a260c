//! Devices that write as fast as they can, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lockstep_client::ports::Request;
use lockstep_proto::api::vaults::{Committed, PostCommit};
use lockstep_proto::ids::{ItemId, VaultId};
use lockstep_proto::log::LogHead;
use lockstep_tests::{TestDevice, is_commit};

/// A device that writes in its account's only vault.
pub(super) struct Writer {
    pub(super) device: TestDevice,
    /// Every item that it ever added.
    pub(super) added: Vec<ItemId>,
}

/// What happens at the answer to the `at`-th commit.
pub(super) struct Harm {
    pub(super) at: usize,
    pub(super) act: Box<dyn Fn() + Send + Sync>,
    /// Writers stop at so many answers.
    pub(super) end: usize,
}

/// One round of writing.
pub(super) struct Load {
    harm: Harm,
    told: Mutex<Told>,
}

/// What the server answered.
#[derive(Default)]
pub(super) struct Told {
    /// The commits that it acknowledged.
    pub(super) acknowledged: BTreeMap<VaultId, BTreeSet<LogHead>>,
    count: usize,
    /// The bodies of all requests that it answered, whatever it said.
    answered: BTreeSet<Vec<u8>>,
}

impl Load {
    pub(super) fn new(harm: Harm) -> Arc<Self> {
        Arc::new(Self { harm, told: Mutex::default() })
    }

    /// Notes from now on what this device is told.
    pub(super) fn watch(self: &Arc<Self>, device: &TestDevice) {
        let load = self.clone();
        device.net.server().answer(move |request, response| {
            if is_commit(request) {
                let success = (200..300).contains(&response.status);
                load.note(request, success.then(|| ciborium::from_reader(&response.body[..]).unwrap()));
            }
            response
        });
    }

    fn note(&self, request: &Request, committed: Option<Committed>) {
        let mut told = self.told.lock().unwrap();
        told.answered.insert(request.body.clone());
        let Some(Committed { vault_id, head, .. }) = committed else { return };
        told.acknowledged.entry(vault_id).or_default().insert(head);
        told.count += 1;
        let now = told.count == self.harm.at;
        drop(told);
        if now {
            (self.harm.act)();
        }
    }

    fn is_over(&self) -> bool {
        self.told.lock().unwrap().count >= self.harm.end
    }

    /// What the server answered in this round.
    pub(super) fn take_told(&self) -> Told {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Told {
    /// How many commits were acknowledged.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The commits that this device sent and heard nothing of.
    pub(super) fn unanswered(&self, device: &TestDevice) -> Vec<PostCommit> {
        let sent = device.net.server().seen().into_iter().filter(is_commit);
        let bodies: BTreeSet<_> = sent.map(|request| request.body).collect();
        let open = bodies.difference(&self.answered);
        open.map(|body| ciborium::from_reader(&body[..]).unwrap()).collect()
    }
}

impl Writer {
    /// Adds and changes items and syncs, until the server is gone or the round is over.
    pub(super) async fn write(mut self, load: Arc<Load>) -> Self {
        for number in 0.. {
            for _ in 0..=number % 3 {
                let item = self.device.add(&format!("item {}", self.added.len())).await.unwrap();
                self.added.push(item);
            }
            let old = self.added[number % self.added.len()];
            self.device.set(old, "notes", &format!("changed {number}")).await.unwrap();
            if self.device.sync().await.is_err() || load.is_over() {
                break;
            }
        }
        self
    }
}
