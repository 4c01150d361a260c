//! One vault of an archive becomes items again: merged with what is there, or named with the reason why not.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::client::{Client, ClientError, OpenItem, QuarantineReason};
use lockstep_client::item::merge::merge_from_outside;
use lockstep_client::item::{Document, MAX_DOCUMENT_BYTES, MAX_MS, TrashState};
use lockstep_client::proto::ids::{ItemId, VaultId};

use crate::show::archive::{LeftOut, RestoredVault, Why};

/// The kind of items that hold the names of vaults and devices, which no archive holds and no list shows.
const NAME_KIND: &str = "name";

/// Saves the items of one vault in one local write. An item that is here already holds both afterwards, so what an
/// older archive says changes nothing. `before` has the items of the vaults before this one.
///
/// # Errors
/// [`ClientError`]; nothing was changed.
pub(super) async fn restore(
    client: &mut Client,
    vault_id: VaultId,
    items: &BTreeMap<ItemId, &[u8]>,
    before: &mut BTreeSet<(VaultId, ItemId)>,
) -> Result<RestoredVault, ClientError> {
    let mut restored = RestoredVault::default();
    let newer = newer_here(client, vault_id);
    let mut taken = Vec::new();
    for (item_id, bytes) in items {
        let document = match Document::from_bytes(bytes) {
            Ok(document) => document,
            Err(error) => {
                let why = Why::Unreadable(error.to_string());
                restored.left_out.push(LeftOut { item_id: *item_id, title: None, why });
                continue;
            }
        };
        let here = client.item(vault_id, *item_id).await?;
        let twice = (!before.insert((vault_id, *item_id))).then_some(Why::Twice);
        if let Some(why) = twice.or_else(|| why_not(&document, here.as_ref(), newer.contains(item_id))) {
            let title = Some(document.name().to_owned());
            restored.left_out.push(LeftOut { item_id: *item_id, title, why });
            continue;
        }
        let is_shown = here.as_ref().is_some_and(|here| !is_trashed(&here.document));
        if is_shown && here.is_some_and(|here| is_trashed(&merge_from_outside(&here.document, &document))) {
            restored.moved_to_trash.push((*item_id, document.name().to_owned()));
        }
        restored.brought_back += usize::from(client.is_purged(vault_id, *item_id).await?);
        taken.push((*item_id, document));
    }
    restored.saved = client.merge_many(vault_id, taken).await?;
    Ok(restored)
}

/// The items of a vault whose current version a later program wrote.
fn newer_here(client: &Client, vault_id: VaultId) -> BTreeSet<ItemId> {
    let marks = client.quarantined().into_iter();
    let newer =
        marks.filter(|mark| mark.vault_id == vault_id && mark.reason == QuarantineReason::UpdateNeeded);
    newer.map(|mark| mark.item_id).collect()
}

/// Why a document cannot be taken beside what is here, if so. `newer_here`: the current version is of a later program.
fn why_not(document: &Document, here: Option<&OpenItem>, newer_here: bool) -> Option<Why> {
    // Where an edit waits to replace what cannot be opened, that was decided already.
    let is_replaced = here.is_some_and(|open| open.quarantine.is_none());
    if document.kind() == NAME_KIND {
        Some(Why::NameKind)
    } else if newer_here && !is_replaced {
        Some(Why::NewerHere)
    } else {
        let here = here.map(|open| &open.document);
        if has_last_stamps(document) && !here.is_some_and(has_last_stamps) {
            return Some(Why::LastStamps);
        }
        let merged = merge_from_outside(here?, document);
        (merged.to_bytes().len() > MAX_DOCUMENT_BYTES).then_some(Why::TooLarge)
    }
}

/// Whether hardly a stamp is left above the document's: whoever writes next takes one above all others.
fn has_last_stamps(document: &Document) -> bool {
    const ROOM_MS: u64 = 365 * 86_400_000;
    document.highest_stamp().is_some_and(|stamp| stamp.ms() >= MAX_MS - ROOM_MS)
}

fn is_trashed(document: &Document) -> bool {
    matches!(document.trash_state(), TrashState::Trashed { .. })
}

#[cfg(test)]
mod tests {
    use lockstep_client::client::{Pending, QuarantineInfo};
    use lockstep_client::item::{Author, Draft, Stamp};
    use lockstep_client::proto::ids::DeviceId;

    use super::*;

    const AUTHOR: Author = Author { now_ms: 5, device: DeviceId([1; 16]) };

    fn document(kind: &str) -> Document {
        Draft::by(kind, AUTHOR).unwrap().build().unwrap()
    }

    fn open(document: Document, reason: Option<QuarantineReason>) -> OpenItem {
        let (vault_id, item_id) = (VaultId([1; 32]), ItemId::from_random([7; 16]));
        let quarantine =
            reason.map(|reason| QuarantineInfo { vault_id, item_id, author: AUTHOR.device, reason });
        OpenItem { document, leaf: None, pending: Pending::No, quarantine }
    }

    /// Four fields of this name, full, each with a history that is full.
    fn large(name: &str) -> Document {
        let mut document = document("note");
        for round in ["a", "b"] {
            let mut edit = document.edit(AUTHOR);
            for number in 0..4 {
                edit = edit.set(format!("{name}{number}"), round.repeat(65_400));
            }
            edit.apply().unwrap();
        }
        document
    }

    #[test]
    fn what_is_here_is_merged_with_unless_both_are_too_large_for_one_item() {
        assert_eq!(why_not(&document("login"), None, false), None);
        assert_eq!(why_not(&document("login"), Some(&open(document("login"), None)), false), None);
        let here = open(large("here"), None);
        assert_eq!(why_not(&large("here"), Some(&here), false), None);
        assert_eq!(why_not(&large("there"), Some(&here), false), Some(Why::TooLarge));
    }

    #[test]
    fn stamps_that_end_all_editing_do_not_come_in() {
        for (before_ms, counter) in [(1, u32::MAX), (1, u32::MAX - 1), (1, 0), (86_400_000, 0)] {
            let last = Stamp::new(MAX_MS - before_ms, counter, DeviceId([9; 16])).unwrap();
            let hostile = Draft::new("login", last).set("name", "x").build().unwrap();
            assert_eq!(why_not(&hostile, Some(&open(document("login"), None)), false), Some(Why::LastStamps));
            assert_eq!(why_not(&hostile, None, false), Some(Why::LastStamps));
            assert_eq!(
                why_not(&hostile, Some(&open(hostile.clone(), None)), false),
                None,
                "it is so already"
            );
        }
    }

    #[test]
    fn what_a_later_program_wrote_is_not_written_over() {
        let newer = Some(QuarantineReason::UpdateNeeded);
        assert_eq!(why_not(&document("login"), None, true), Some(Why::NewerHere));
        let last_good = open(document("login"), newer);
        assert_eq!(why_not(&document("login"), Some(&last_good), true), Some(Why::NewerHere));
        // An edit made here waits to replace it.
        assert_eq!(why_not(&document("login"), Some(&open(document("login"), None)), true), None);
        // What nobody can open is mended by what the archive has.
        let broken = open(document("login"), Some(QuarantineReason::Sealed));
        assert_eq!(why_not(&document("login"), Some(&broken), false), None);
    }

    #[test]
    fn an_item_that_no_list_would_show_is_named_instead() {
        assert_eq!(why_not(&document("name"), None, false), Some(Why::NameKind));
    }
}
