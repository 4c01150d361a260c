//! What becomes of a waiting edit when a newer version of its item arrives: a pure decision.

use lockstep_proto::digest::Leaf;
use lockstep_proto::ids::DeviceId;

use super::inspect::Incoming;
use crate::item::Document;
use crate::item::merge::{Merged, merge_fitting};
use crate::vault::{Edit, Notice, OutboxEntry};

/// What becomes of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in the version that came, or no longer wanted: nothing is left to send.
    Done,
    /// This waits in its place.
    Waits(OutboxEntry),
    /// Both would not fit into one item: this becomes an item of its own, and the edit waits if it is the newer side.
    Split {
        /// What waits in the edit's place.
        stays: Option<OutboxEntry>,
        /// The older side.
        apart: Document,
    },
}

/// The outcome, and what to tell the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) notice: Option<Notice>,
}

impl Decision {
    fn new(outcome: Outcome, notice: impl Into<Option<Notice>>) -> Self {
        Self { outcome, notice: notice.into() }
    }
}

/// Decides. `leaf` is the version that came, `incoming` what it holds, `own` this device.
pub(crate) fn decide(entry: &OutboxEntry, leaf: Leaf, incoming: &Incoming, own: DeviceId) -> Decision {
    let waits = |base_document, edit| Outcome::Waits(OutboxEntry { base: Some(leaf), base_document, edit });
    match (&entry.edit, incoming) {
        // Two tombstones: what either has seen.
        (Edit::Purge(saw), Incoming::Tombstone(theirs)) => match saw.union(theirs) {
            both if both == *theirs => Decision::new(Outcome::Done, None),
            both => Decision::new(waits(None, Edit::Purge(both)), None),
        },
        (edit @ Edit::Purge(saw), Incoming::Live(served))
            if saw.covers(served) || lockstep_proto::seeded!("purge-covers-unseen") =>
        {
            Decision::new(waits(Some(served.clone()), edit.clone()), None)
        }
        (Edit::Purge(_), _) => Decision::new(Outcome::Done, Notice::PurgeDropped),
        // Whatever a tombstone says, nobody can have seen what was not sent.
        (Edit::Write(edited), Incoming::Tombstone(saw))
            if saw.covers(edited)
                && (!edited.has_unsent(entry.base_document.as_ref(), own)
                    || lockstep_proto::seeded!("unsent-purged")) =>
        {
            Decision::new(Outcome::Done, None)
        }
        (edit @ Edit::Write(_), Incoming::Tombstone(_)) => {
            Decision::new(waits(None, edit.clone()), Notice::BroughtBack)
        }
        (edit @ Edit::Write(_), Incoming::Quarantined(_)) => Decision::new(waits(None, edit.clone()), None),
        (Edit::Write(edited), Incoming::Live(served)) => {
            let unsent = edited.clone().above_floors(entry.base_document.as_ref(), served, own);
            match unsent {
                Ok(edited) => meet(&edited, served, leaf),
                // No stamp is left above what came.
                Err(_) => {
                    let apart = edited.clone();
                    Decision::new(Outcome::Split { stays: None, apart }, None)
                }
            }
        }
    }
}

fn meet(edited: &Document, served: &Document, leaf: Leaf) -> Decision {
    let waits = |edit| OutboxEntry { base: Some(leaf), base_document: Some(served.clone()), edit };
    let merged = match merge_fitting(edited, served) {
        Merged::One(merged) => merged,
        Merged::Apart { stays, leaves } => {
            let stays = (stays != *served).then(|| waits(Edit::Write(stays)));
            return Decision::new(Outcome::Split { stays, apart: leaves }, None);
        }
    };
    if merged == *served {
        return Decision::new(Outcome::Done, None);
    }
    let notice = (merged != *edited).then_some(Notice::Merged);
    Decision::new(Outcome::Waits(waits(Edit::Write(merged))), notice)
}
