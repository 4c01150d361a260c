//! What a sync tells of an item beyond "it changed": values of a field that wait for a choice, and items that came back
//! from the trash. Both are seen by comparing what this device showed with what it shows now, so it does not matter who
//! merged: this device, or another one whose version it receives.

use lockstep_proto::ids::ItemId;

use super::apply::Step;
use crate::client::{ItemNotice, Notice, SyncReport};
use crate::item::{Document, TrashState};
use crate::ports::Ports;
use crate::vault::{OpenVault, RecordError, names};

/// Items and what to tell of each.
pub(super) type News = Vec<(ItemId, Notice)>;

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
        let before = vault.current(ports, &item_id).await?.document;
        add(step, item_id, news(before.as_ref(), &now));
    }
    Ok(())
}

/// Adds the news of a first sync, before which nothing was shown: of its pages as `told`, and of the step's documents.
/// Without `told`, which an earlier sync that was cut off has had, nothing: [`tell_shown`] tells all of it.
pub(super) fn tell_all(step: &mut Step, told: Option<News>) {
    let telling = std::mem::take(&mut step.telling);
    let Some(told) = told else { return };
    step.notices.extend(told);
    for (item_id, now) in telling {
        add(step, item_id, news(None, &now));
    }
}

/// Tells what there is to tell of every item of a vault.
pub(super) async fn tell_shown(
    ports: &Ports,
    vault: &OpenVault,
    report: &mut SyncReport,
) -> Result<(), RecordError> {
    let vault_id = vault.vault_id();
    let mut told = Vec::new();
    let each = vault.each_shown(ports, |item_id, shown| {
        let notices = shown.document.map(|document| news(None, document)).unwrap_or_default();
        told.extend(notices.into_iter().map(|what| ItemNotice { vault_id, item_id, what }));
    });
    each.await?;
    report.conflicts += told.iter().filter(|notice| notice.what == Notice::Conflict).count();
    report.notices.extend(told);
    Ok(())
}

fn add(step: &mut Step, item_id: ItemId, news: Vec<Notice>) {
    // A conflict says that the item was merged, and more.
    if news.contains(&Notice::Conflict) {
        step.notices.retain(|(other, notice)| *other != item_id || *notice != Notice::Merged);
    }
    step.notices.extend(news.into_iter().map(|notice| (item_id, notice)));
}
