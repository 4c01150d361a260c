//! Which record of the file is which, and what to tell of those that look like one another.

use lockstep_client::item::reimport::Origin;
use lockstep_proto::hash::hash;
use lockstep_proto::ids::Hash;
use serde_json::Value as Json;

use super::own::OWN;
use super::record::Read;
use super::report::{ImportedRecord, ItemProblem, Problem, SOURCE_KIND};
use crate::identity::{Distinct, Identity, identities};

/// A record that became a document.
pub(super) struct Found {
    pub(super) index: usize,
    /// A hash of all that the file says of it.
    pub(super) content: Hash,
    pub(super) read: Read,
    /// What the file calls it.
    pub(super) id: Option<String>,
    /// Its title.
    pub(super) name: Option<String>,
}

pub(super) fn content(record: &Json) -> Hash {
    hash("import-record", &[record.to_string().as_bytes()])
}

/// The records with their identities, each distinct one once, and what there is to tell.
pub(super) fn identified(found: Vec<Found>) -> (Vec<ImportedRecord>, Vec<ItemProblem>) {
    // Records that Lockstep exported are known by its ids, all others by Bitwarden's.
    let (own, foreign): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.read.own.is_some());
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for (program, found) in [(OWN, own), (SOURCE_KIND, foreign)] {
        let ids: Vec<_> = found.iter().map(record_id).collect();
        let distinct = found.iter().zip(&ids).map(|(found, id)| Distinct {
            id: id.as_deref(),
            document: &found.read.document,
            content: found.content,
        });
        let identities = identities(&distinct.collect::<Vec<_>>());
        let places: Vec<usize> = found.iter().map(|found| found.index).collect();
        for (found, identity) in found.into_iter().zip(identities) {
            let (index, name) = (found.index, found.name.clone());
            let problem = match identity {
                Identity::SameAs(place) => Some(Problem::Repeated { first: places[place] }),
                Identity::Known { by, sharing } => {
                    records.push(imported(found, program, by, sharing));
                    (sharing > 1).then(|| Problem::SharedId { others: sharing - 1 })
                }
            };
            problems.extend(problem.map(|problem| ItemProblem { index, name, problem }));
        }
    }
    records.sort_by_key(|record| record.index);
    (records, problems)
}

fn record_id(found: &Found) -> Option<String> {
    match &found.read.own {
        Some(own) => Some(own.id.clone()),
        None => found.id.clone().filter(|id| !id.is_empty()),
    }
}

fn imported(found: Found, program: &str, identity: String, sharing: usize) -> ImportedRecord {
    let Found { index, read, .. } = found;
    // A record that somebody copied in the file is no longer the item's.
    let own = read.own.filter(|_| sharing == 1);
    ImportedRecord {
        index,
        origin: Origin { program: program.to_owned(), identity, revised_ms: read.revised_ms },
        document: read.document,
        own: own.and_then(|own| Some((own.item_id()?, own.hashes))),
    }
}
