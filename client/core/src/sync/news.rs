//! What a sync tells of an item beyond "it changed": values of a field that wait for a choice, and items that came back
//! from the trash. Both are seen by comparing what this device showed with what it shows now, so it does not matter who
//! merged: this device, or another one whose version it receives.

use lockstep_proto::ids::ItemId;

use super::apply::Step;
use crate::account::RecordError;
use crate::item::{Document, TrashState};
use crate::ports::Ports;
use crate::vault::{Notice, OpenVault, Pending, names};

/// Whether a document has anything to tell, whatever was shown before. Nobody chooses between names of vaults and
/// devices: the last one stands.
pub(super) fn may_tell(document: &Document) -> bool {
    let is_back = document.trash_state() == TrashState::BroughtBack;
    !names::is_name(document) && (is_back || !document.conflicts().is_empty())
}

/// What to tell of a document, where `before` was shown.
pub(crate) fn news(before: Option<&Document>, now: &Document) -> Vec<Notice> {
    if !may_tell(now) {
        return Vec::new();
    }
    let was_back = before.is_some_and(|before| before.trash_state() == TrashState::BroughtBack);
    let is_back = now.trash_state() == TrashState::BroughtBack && !was_back;
    let notices = [
        (now.has_conflicts_beyond(before)).then_some(Notice::Conflict),
        is_back.then_some(Notice::OutOfTrash),
    ];
    notices.into_iter().flatten().collect()
}

/// Adds the news of the step's documents. The vault is as it was before the step.
pub(super) async fn tell_news(ports: &Ports, vault: &OpenVault, step: &mut Step) -> Result<(), RecordError> {
    for (item_id, now) in std::mem::take(&mut step.telling) {
        let before = shown(ports, vault, &item_id).await?;
        add(step, item_id, news(before.as_ref(), &now));
    }
    Ok(())
}

/// The document that an item was shown with, also where a purge of it waits.
async fn shown(ports: &Ports, vault: &OpenVault, item_id: &ItemId) -> Result<Option<Document>, RecordError> {
    let current = vault.current(ports, item_id).await?;
    let known = current.document.or(current.base_document);
    match known {
        None if current.pending != Pending::No => Ok(vault.below(ports, item_id).await?.document),
        known => Ok(known),
    }
}

/// Adds the news of a first sync, before which nothing was shown.
pub(super) fn tell_all(step: &mut Step) {
    for (item_id, now) in std::mem::take(&mut step.telling) {
        add(step, item_id, news(None, &now));
    }
}

fn add(step: &mut Step, item_id: ItemId, news: Vec<Notice>) {
    // A conflict says that the item was merged, and more.
    if news.contains(&Notice::Conflict) {
        step.notices.retain(|(other, notice)| *other != item_id || *notice != Notice::Merged);
    }
    step.notices.extend(news.into_iter().map(|notice| (item_id, notice)));
}
