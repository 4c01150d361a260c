//! What a user hears about an item.

/// What happened to an item that its user should hear about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Both sides changed the item; the document holds both edits.
    Merged,
    /// A field holds a value that lost and that nobody has seen: it waits for a choice, however large it is.
    Conflict,
    /// It had been purged, and an edit or an import, made here or elsewhere, brought it back.
    BroughtBack,
    /// It was put into the trash by somebody who had not seen an edit: it is out of the trash again.
    OutOfTrash,
    /// It was to be purged here, but changed elsewhere meanwhile: it was kept.
    PurgeDropped,
    /// The current version cannot be opened; the last good one, if this device has one, is shown.
    Quarantined,
    /// Two versions of another item are too large for one: the older side became an item of its own, this one.
    SplitOff,
}
