//! The one commit of a vault that was sent, or is about to be (R-ONCE).
//!
//! Its bytes, blobs and the edits it holds are durable before the first byte is sent; exactly these are repeated until
//! the commit is acknowledged, found in the chain, or overtaken by another one in its place.

use std::collections::BTreeMap;

use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::{ItemId, Seq};
use lockstep_proto::log::{Change, CommitBody, Entry, LogHead};

use super::outbox::{Outbox, OutboxEntry};

/// A commit on its way, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InFlight {
    entry: Entry,
    head: LogHead,
    blobs: BTreeMap<ItemId, Vec<u8>>,
    edits: Outbox,
}

/// What the chain says about the commit in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its place in the chain is still free.
    Waiting,
    /// It is in the chain.
    Acknowledged,
    /// Another commit has its place.
    Overtaken,
}

impl InFlight {
    /// A content commit with the blob and the edit of each of its changes, or a control commit, which has none; `None`
    /// if these do not belong together.
    pub(crate) fn new(entry: Entry, blobs: BTreeMap<ItemId, Vec<u8>>, edits: Outbox) -> Option<Self> {
        let head = entry.commit.value().head(entry.commit.hash());
        let in_flight = Self { entry, head, blobs, edits };
        let ids = || in_flight.changes().iter().map(|change| &change.item_id);
        let is_control = matches!(in_flight.entry.body, CommitBody::Control(_));
        let whole = ids().eq(in_flight.blobs.keys())
            && ids().eq(in_flight.edits.keys())
            && (ids().count() > 0) != is_control;
        whole.then_some(in_flight)
    }

    /// The commit and its body.
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Where the commit stands in the chain if it is accepted.
    pub(crate) fn head(&self) -> LogHead {
        self.head
    }

    /// The changes that it makes.
    pub(crate) fn changes(&self) -> &[Change] {
        match &self.entry.body {
            CommitBody::Content(body) => &body.changes,
            _ => &[],
        }
    }

    /// The blobs, by item.
    pub(crate) fn blobs(&self) -> &BTreeMap<ItemId, Vec<u8>> {
        &self.blobs
    }

    /// The edits that it holds.
    pub(crate) fn edits(&self) -> &Outbox {
        &self.edits
    }

    /// The version that it makes of an item.
    pub(crate) fn leaf(&self, item_id: &ItemId) -> Option<Leaf> {
        let change = self.changes().iter().find(|change| change.item_id == *item_id)?;
        Some(Leaf { version: change.new_version, blob_hash: change.new_blob_hash })
    }

    /// What is sent, the same bytes every time.
    pub(crate) fn to_request(&self) -> PostCommit {
        PostCommit {
            commit: self.entry.commit.to_body(),
            body: Bytes(self.entry.body.to_bytes()),
            blobs: self.blobs.values().map(|blob| Bytes(blob.clone())).collect(),
        }
    }

    /// What a verified chain that ends at `head` and holds `commit_at` at this commit's place says about it.
    pub(crate) fn fate(&self, head: Seq, commit_at: Option<&LogHead>) -> Fate {
        match commit_at {
            Some(found) if *found == self.head => Fate::Acknowledged,
            Some(_) if lockstep_proto::seeded!("overtaken-edit-dropped") => Fate::Acknowledged,
            Some(_) => Fate::Overtaken,
            None if head >= self.head.seq => Fate::Overtaken,
            None => Fate::Waiting,
        }
    }

    /// Puts its edits back into the outbox, below the edits made meanwhile: those hold them already, but stand on a
    /// version that never came to be.
    pub(crate) fn return_to(&self, outbox: &mut Outbox) {
        for (item_id, edit) in &self.edits {
            let newer = outbox.remove(item_id).map(|entry| entry.edit);
            let returned = OutboxEntry { edit: newer.unwrap_or_else(|| edit.edit.clone()), ..edit.clone() };
            if returned.base.is_none() && returned.edit.is_purge() {
                continue;
            }
            outbox.insert(*item_id, returned);
        }
    }
}
