//! What an export leaves behind, by name.

use lockstep_client::item::{Document, Entry, Register, TRASH, is_inner};
use lockstep_proto::ids::ItemId;

/// What of one item a format has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The item.
    pub item_id: ItemId,
    /// Its title. Do not log it.
    pub title: String,
    /// Fields that hold values of several writers: only the one that is shown leaves as the field's value.
    pub conflicts: Vec<String>,
    /// How many former values of its fields stay behind.
    pub former_values: usize,
}

/// What stays behind of these items, in their order; items that leave whole are not named. `keeps` says of a field's
/// former value whether the format has a place for it.
pub(crate) fn losses<'d>(
    items: impl IntoIterator<Item = (ItemId, &'d Document)>,
    keeps: impl Fn(&str, &Entry) -> bool,
) -> Vec<Loss> {
    let loss = |(item_id, document): (ItemId, &Document)| {
        let conflicts = document.conflicts();
        let conflicts: Vec<String> = conflicts.iter().map(|conflict| conflict.field.to_owned()).collect();
        let fields = document.registers().filter(|(key, _)| *key != TRASH && !is_inner(key));
        let former_values = fields.map(|(key, register)| former(register, |entry| !keeps(key, entry))).sum();
        Loss { item_id, title: document.name().to_owned(), conflicts, former_values }
    };
    let all = items.into_iter().map(loss);
    all.filter(|loss| !loss.conflicts.is_empty() || loss.former_values > 0).collect()
}

/// Former values of a field that were seen: others are its conflicts.
fn former(register: &Register, is_lost: impl Fn(&Entry) -> bool) -> usize {
    let history = register.history().into_iter();
    history.filter(|entry| !entry.value().is_null() && is_lost(entry)).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lockstep_client::item::merge::merge;
    use lockstep_client::item::{Author, Draft};
    use lockstep_proto::ids::DeviceId;

    use super::*;

    fn author(device: u8) -> Author {
        Author { now_ms: 1_000, device: DeviceId([device; 16]) }
    }

    #[test]
    fn conflicts_are_named_and_former_values_counted_apart_from_them() {
        let draft = Draft::by("login", author(1)).unwrap();
        let whole = draft.set("name", "Bank").set("username", "a").set("password", "p").build().unwrap();
        let (mut one, mut two) = (whole.clone(), whole.clone());
        one.edit(author(1)).set("username", "b").set("password", "q").trash().apply().unwrap();
        two.edit(author(2)).set("username", "c").set("source/x/rest", "r").apply().unwrap();
        let both = merge(&one, &two);
        let items = [(ItemId::from_random([1; 16]), &whole), (ItemId::from_random([2; 16]), &both)];
        let found = losses(items, |key, _| key == "password");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].title.as_str(), found[0].conflicts.as_slice()),
            ("Bank", &["username".to_owned()][..])
        );
        assert_eq!(found[0].former_values, 1);
        assert_eq!(losses(items, |_, _| false)[0].former_values, 2);
    }
}
