//! A page of a first sync against its target: a pure check that makes every page move the cursor on.

use std::collections::BTreeSet;

use lockstep_proto::api::items::{ItemPage, StoredItem};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::ids::Seq;

use crate::vault::{Cursor, Leaves};

/// Why nothing of a page is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadItemPage;

/// The cursor after this page: every item is after the one before, at or below the target, there for the first time,
/// and has the bytes that its hash names; there are no more than `left`; and a page that says that more follows holds
/// something.
pub(crate) fn read_item_page(
    page: &ItemPage,
    cursor: &Cursor,
    target: Seq,
    leaves: &Leaves,
    left: u64,
) -> Result<Cursor, BadItemPage> {
    let mut after = cursor.after;
    let ids: BTreeSet<_> = page.items.iter().map(|item| item.item_id).collect();
    if ids.len() != page.items.len() || ids.len() as u64 > left {
        return Err(BadItemPage);
    }
    for item in &page.items {
        let place = (item.seq, item.item_id);
        let is_next = after.is_none_or(|after| after < place) && item.seq <= target;
        if !is_next || leaves.leaf(&item.item_id).is_some() || !is_whole(item) {
            return Err(BadItemPage);
        }
        after = Some(place);
    }
    if page.more && page.items.is_empty() {
        return Err(BadItemPage);
    }
    Ok(Cursor { after, done: !page.more })
}

fn is_whole(item: &StoredItem) -> bool {
    item.version.0 != 0
        && (blob_hash(&item.blob) == item.blob_hash || lockstep_proto::seeded!("item-hash-unchecked"))
}
