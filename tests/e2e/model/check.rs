//! What must hold when all is quiet again.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_client::client::Client;
use lockstep_client::item::{Document, Entry, Register, Stamp, TRASH, TrashState};
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::ids::{DeviceId, Hash, VaultId};
use lockstep_proto::log::Entry as Commit;
use lockstep_tests::is_commit;

use super::ledger::{Ledger, Moved, Place, Written, held, seen};
use super::step::FIELDS;
use super::world::{World, clients};

type Outcome = Result<(), String>;
type Documents = BTreeMap<Place, Document>;

/// Checks everything that the model promises.
pub(crate) async fn everything(world: &World) -> Outcome {
    let mut all = Vec::new();
    for client in clients(world) {
        all.push(in_step(world, client).await?);
    }
    let (documents, heads) = &all[0];
    for (others, other_heads) in &all[1..] {
        ensure(heads == other_heads, || format!("heads differ: {heads:?}, {other_heads:?}"))?;
        ensure(documents.keys().eq(others.keys()), || "devices show different items".to_owned())?;
        for (place, document) in documents {
            ensure(document.to_bytes() == others[place].to_bytes(), || format!("{place:?} differs"))?;
        }
    }
    let ledger = &world.ledger;
    for place in &ledger.items {
        nothing_lost(ledger, place, documents.get(place))?;
    }
    for (place, document) in documents {
        ensure(ledger.items.contains(place), || format!("{place:?} was never made"))?;
        nothing_made_up(ledger, place, document)?;
        exact_conflicts(ledger, place, document)?;
        exact_trash(ledger, place, document)?;
    }
    signed_once(world)
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what()) }
}

/// Nothing waits, every history is checked; gives all items and the heads.
async fn in_step(world: &World, client: &Client) -> Result<(Documents, BTreeMap<VaultId, Hash>), String> {
    let status = client.status().await.unwrap();
    ensure(status.pending == 0, || format!("{} edits wait", status.pending))?;
    ensure(client.quarantined().is_empty(), || "something is quarantined".to_owned())?;
    let mut heads = BTreeMap::new();
    for vault in &status.vaults {
        ensure(vault.history_checked && !vault.in_flight, || format!("{vault:?}"))?;
        heads.insert(vault.vault_id, vault.head.hash);
    }
    let mut documents = Documents::new();
    for vault_id in &world.vaults {
        for item in client.items(*vault_id).await.unwrap() {
            let open = client.item(*vault_id, item.item_id).await.unwrap().unwrap();
            documents.insert((*vault_id, item.item_id), open.document);
        }
    }
    Ok((documents, heads))
}

/// Every acknowledged value is in the document; or somebody wrote over it who had seen it, and history was given up down
/// to there; or it went with a purge by somebody who had seen it.
fn nothing_lost(ledger: &Ledger, place: &Place, document: Option<&Document>) -> Outcome {
    let purged = ledger.purged.get(place);
    for written in ledger.written.get(place).into_iter().flatten() {
        let register = document.and_then(|document| document.register(&written.field));
        let kept = register.is_some_and(|register| {
            let holds = |entry: &Entry| entry.value().as_text() == Some(&written.value);
            // Who wrote over the same value had seen it, wherever it was written.
            let same = |stamp: &Stamp| {
                writings(ledger, place).any(|one| one.stamp == *stamp && one.value == written.value)
            };
            let was_seen = || writings(ledger, place).any(|later| later.replaced.iter().any(same));
            let given_up = || register.floors().highest() >= Some(written.stamp);
            register.entries().iter().any(holds) || (given_up() && was_seen())
        });
        let gone =
            || purged.is_some_and(|seen| seen.contains(&(written.field.clone(), written.value.clone())));
        ensure(kept || gone(), || {
            let others: Vec<_> =
                writings(ledger, place).filter(|other| other.field == written.field).collect();
            format!("{place:?} lost {written:?}: {register:?}, {others:?}")
        })?;
    }
    Ok(())
}

fn nothing_made_up(ledger: &Ledger, place: &Place, document: &Document) -> Outcome {
    let written: BTreeSet<_> =
        writings(ledger, place).map(|written| (&written.field, &written.value)).collect();
    for (field, value) in held(document) {
        ensure(written.contains(&(&field, &value)), || {
            format!("{place:?}: nobody wrote {value} into {field}")
        })?;
    }
    Ok(())
}

fn writings<'a>(ledger: &'a Ledger, place: &Place) -> impl Iterator<Item = &'a Written> {
    ledger.written.get(place).into_iter().flatten()
}

/// A value is shown as a conflict iff it lost and nobody who wrote later had seen it as what is shown, or chose.
fn exact_conflicts(ledger: &Ledger, place: &Place, document: &Document) -> Outcome {
    let shown = document.conflicts();
    for field in FIELDS {
        let Some(register) = document.register(field) else { continue };
        let expected = conflicts(ledger, place, field, register);
        let losers =
            shown.iter().filter(|conflict| conflict.field == field).flat_map(|conflict| &conflict.losers);
        let found: BTreeSet<_> =
            losers.filter_map(|entry| entry.value().as_text()).map(str::to_owned).collect();
        ensure(found == expected, || {
            let written: Vec<_> = writings(ledger, place).filter(|written| written.field == field).collect();
            format!(
                "{place:?} {field}: conflicts {found:?}, expected {expected:?}, {register:?}, {written:?}"
            )
        })?;
    }
    Ok(())
}

fn conflicts(ledger: &Ledger, place: &Place, field: &str, register: &Register) -> BTreeSet<String> {
    let text = |entry: &Entry| entry.value().as_text().unwrap_or_default().to_owned();
    let entries = register.entries();
    // Whether whoever wrote the newer one had seen this one, or the same value elsewhere, as what is shown.
    let replaces = |newer: &Entry, entry: &Entry| {
        let written = writings(ledger, place).filter(|written| written.field == field);
        let mut stamps =
            written.filter(|written| written.stamp == newer.stamp()).flat_map(|written| &written.replaced);
        stamps.any(|stamp| {
            *stamp == entry.stamp()
                || entries.iter().any(|other| other.stamp() == *stamp && other.value() == entry.value())
        })
    };
    let lost = |entry: &&Entry| {
        let newer = entries.iter().filter(|newer| newer.stamp() > entry.stamp());
        entry.value() != register.winner().value() && !newer.clone().any(|newer| replaces(newer, entry))
    };
    register.others().iter().filter(lost).map(text).collect()
}

/// An item is in the trash iff the last word was to put it there, by somebody who had seen all that it holds: every
/// value, and every time that somebody took it out.
fn exact_trash(ledger: &Ledger, place: &Place, document: &Document) -> Outcome {
    let last = document.register(TRASH).map(|register| register.winner().stamp());
    let moved = last.and_then(|stamp| ledger.trash.get(&(*place, stamp)));
    let is_putting = |stamp| matches!(ledger.trash.get(&(*place, stamp)), Some(Moved::In(_)));
    let mut held = seen(document);
    held.retain(|(field, stamp)| field != TRASH || !is_putting(*stamp));
    let expected = match moved {
        Some(Moved::In(saw)) => held.is_subset(saw),
        Some(Moved::Out) | None => false,
    };
    let found = matches!(document.trash_state(), TrashState::Trashed { .. });
    ensure(found == expected, || {
        format!("{place:?}: in the trash: {found}, expected {expected}: {moved:?}, {document:?}")
    })
}

/// R-ONCE, over everything that ever left a device.
fn signed_once(world: &World) -> Outcome {
    let mut signed = BTreeMap::<(VaultId, DeviceId, Hash), Vec<u8>>::new();
    let nets = world.nets.iter().chain(world.devices.iter().map(|device| &device.net));
    for request in nets.flat_map(|net| net.server().seen()).filter(is_commit) {
        let post: PostCommit = ciborium::from_reader(&request.body[..]).unwrap();
        let entry = Commit::from_wire(&post.commit, &post.body).unwrap();
        let commit = entry.commit.value();
        let head = (commit.vault_id, commit.author_device, commit.prev_hash);
        let bytes = signed.entry(head).or_insert_with(|| request.body.clone());
        ensure(*bytes == request.body, || format!("two commits on one head: {head:?}"))?;
    }
    Ok(())
}
