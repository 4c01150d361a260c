//! Which record of a file is which: the same on every device that reads the file, and in the next export.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::item::Document;
use lockstep_client::item::views::{Login, field};
use lockstep_proto::bytes::to_base64url;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::Hash;

/// What tells a record from the others of its file.
pub(crate) struct Distinct<'r> {
    /// What the source calls it.
    pub(crate) id: Option<&'r str>,
    /// What it became.
    pub(crate) document: &'r Document,
    /// A hash of all that the file says of it.
    pub(crate) content: Hash,
}

/// What a record is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// By this text.
    Known {
        /// What it derives its item from.
        by: String,
        /// How many records of the file have its id, itself included: its id alone is none if that is not 1.
        sharing: usize,
    },
    /// It is exactly the record at this place of the list.
    SameAs(usize),
}

/// The identities of all records of a file.
///
/// The source's id is one if it looks like a UUID and no other record has it: programs that number their records, or
/// write a placeholder, give one id to many. Others are known by their id and what a person knows them by (kind, title,
/// host, user name), and if that is not enough by all that they say.
pub(crate) fn identities(records: &[Distinct<'_>]) -> Vec<Identity> {
    let mut first: BTreeMap<(Option<&str>, Hash), usize> = BTreeMap::new();
    let same: Vec<Option<usize>> = (0..)
        .zip(records)
        .map(|(place, record)| {
            let first = *first.entry((record.id, record.content)).or_insert(place);
            (first != place).then_some(first)
        })
        .collect();
    let distinct = || records.iter().zip(&same).filter(|(_, same)| same.is_none()).map(|(record, _)| record);
    let mut sharing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut looks: BTreeMap<String, BTreeSet<Hash>> = BTreeMap::new();
    for record in distinct() {
        if let Some(id) = record.id {
            *sharing.entry(id).or_default() += 1;
        }
        looks.entry(by_looks(record)).or_default().insert(record.content);
    }
    let known = |record: &Distinct<'_>| {
        let sharing = record.id.and_then(|id| sharing.get(id)).copied().unwrap_or(1);
        let uuid = record.id.filter(|id| sharing == 1 && is_uuid(id));
        let by = uuid.map(str::to_ascii_lowercase).unwrap_or_else(|| {
            let by = by_looks(record);
            let is_alone = looks.get(&by).is_none_or(|contents| contents.len() == 1);
            if is_alone { by } else { format!("{by}#{}", to_base64url(&record.content.0[..16])) }
        });
        Identity::Known { by, sharing }
    };
    records
        .iter()
        .zip(&same)
        .map(|(record, same)| same.map_or_else(|| known(record), Identity::SameAs))
        .collect()
}

/// The id, and what a person knows the record by.
fn by_looks(record: &Distinct<'_>) -> String {
    let document = record.document;
    let uris = Login::of(document).uris();
    let address = uris.first().and_then(|(_, uri)| uri.uri.as_deref()).unwrap_or_default();
    let parts =
        [document.kind(), document.name(), host(address), document.text(field::USERNAME).unwrap_or_default()];
    let each: Vec<[u8; 32]> = parts.iter().map(|part| hash("import-look", &[part.as_bytes()]).0).collect();
    let look = hash("import-looks", &[each.concat().as_slice()]);
    format!("{}#{}", record.id.unwrap_or_default(), to_base64url(&look.0[..16]))
}

/// The host of an address, or all of what is none.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether this is a UUID that somebody made, and not one that stands for none.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_shaped = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let mut digits = text.bytes().filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase());
    let first = digits.next();
    // Of one digit alone: nil, max, and what people type.
    is_shaped && digits.any(|digit| Some(digit) != first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use lockstep_client::item::{Draft, Stamp};
    use lockstep_proto::ids::DeviceId;

    use super::*;

    const UUID: &str = "0a0b0168-0a0b-4000-8000-00000000A168";

    fn document(title: &str, user: &str, address: &str) -> Document {
        let uri = lockstep_client::item::Value::map([("uri", address.into())]);
        let draft = Draft::new("login", Stamp::clamped(1, 0, DeviceId::ZERO));
        draft.set("name", title).set("username", user).set("uris/1", uri).build().unwrap()
    }

    /// Records as (id, title, content).
    fn known(records: &[(Option<&str>, &str, u8)]) -> Vec<Identity> {
        let documents: Vec<_> =
            records.iter().map(|(_, title, _)| document(title, "u", "https://a.example/x")).collect();
        let records = records.iter().zip(&documents);
        let records: Vec<_> = records
            .map(|((id, _, content), document)| Distinct { id: *id, document, content: Hash([*content; 32]) })
            .collect();
        identities(&records)
    }

    fn by(identity: &Identity) -> &str {
        let Identity::Known { by, .. } = identity else { panic!("the same as another") };
        by
    }

    #[test]
    fn a_uuid_of_one_record_is_its_identity_in_either_case() {
        let found = known(&[(Some(UUID), "a", 1)]);
        assert_eq!(found, [Identity::Known { by: UUID.to_lowercase(), sharing: 1 }]);
        assert_eq!(known(&[(Some(&UUID.to_lowercase()), "b", 2)]), found);
    }

    #[test]
    fn ids_that_tell_nothing_apart_are_no_identity() {
        for id in
            ["1", "", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "é-"]
        {
            let (one, two) = (known(&[(Some(id), "a", 1)]), known(&[(Some(id), "b", 2)]));
            assert_ne!(one, two, "{id}");
            assert_eq!(one, known(&[(Some(id), "a", 3)]), "{id}: the same record, changed later");
        }
    }

    #[test]
    fn records_that_share_an_id_stay_apart_whatever_their_order() {
        let records = [(Some(UUID), "a", 1), (Some(UUID), "a", 2), (Some(UUID), "b", 3)];
        let found = known(&records);
        let all: BTreeSet<&str> = found.iter().map(by).collect();
        assert_eq!(all.len(), 3);
        assert!(found.iter().all(|identity| matches!(identity, Identity::Known { sharing: 3, .. })));
        let mut turned = known(&[records[2], records[1], records[0]]);
        turned.reverse();
        assert_eq!(turned, found);
        assert_eq!(by(&known(&[records[2], (Some(UUID), "c", 4)])[0]), by(&found[2]));
    }

    #[test]
    fn equal_records_are_one_and_take_nobodys_id_away() {
        let found = known(&[(Some(UUID), "a", 1), (Some(UUID), "a", 1), (None, "a", 1), (None, "a", 1)]);
        assert_eq!(by(&found[0]), UUID.to_lowercase());
        assert_eq!((&found[1], &found[3]), (&Identity::SameAs(0), &Identity::SameAs(2)));
        assert_ne!(by(&found[2]), by(&found[0]));
    }

    #[test]
    fn the_host_of_an_address_is_what_stands_between_its_marks() {
        for (address, found) in [
            ("https://a.example/x?y#z", "a.example"),
            ("https://u:p@a.example:8443", "a.example:8443"),
            ("a.example", "a.example"),
            ("", ""),
            ("androidapp://com.example", "com.example"),
        ] {
            assert_eq!(host(address), found);
        }
    }
}
