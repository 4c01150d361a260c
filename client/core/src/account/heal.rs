//! Catch-up of the account's log (R-HEAL): a server that was restored from a backup gets back, byte for byte, the links
//! that it lost, with the slots that are kept and the OPAQUE record that the last of them names.
//!
//! The links are their own proof, so no session is needed: the server may not know this device any more.

use lockstep_crypto::slots::{RecordCheck, open_slot};
use lockstep_proto::api::SLOTS_PER_REQUEST;
use lockstep_proto::api::heal::HealAccount;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Seq;

use super::error::AccountError;
use super::log_store::{read_links, read_slot};
use super::profile::OPAQUE_RECORD;
use super::slots::{Place, auth_slot};
use super::unlocked::Unlocked;
use crate::api::Api;
use crate::ports::{LocalStore, Ports, Table};

/// Bytes of one request, at most: below what the server takes ([`lockstep_proto::api::HEAL_ACCOUNT_LIMIT`]).
const PART_BYTES: usize = 640 * 1024;

/// Gives the server every link after `after`, or the whole log.
///
/// # Errors
/// [`AccountError::Api`], with `head-moved` where the server is on another branch.
pub(crate) async fn give_back_log(
    ports: &Ports,
    api: &Api,
    unlocked: &Unlocked,
    after: Option<Seq>,
) -> Result<(), AccountError> {
    let all = read_links(&*ports.store, &unlocked.account_id()).await?;
    let links = all.iter().filter(|link| after.is_none_or(|after| link.value().seq > after));
    let mut parts = Parts { api, links: Vec::new(), slots: Vec::new(), bytes: 0 };
    for link in links {
        let link = link.to_body();
        parts.make_room(link.len()).await?;
        parts.links.push(link);
    }
    parts.flush(None).await?;
    // Slots follow the last link, which names them; every part begins with a link that the server has by then.
    let last = all.last().map(|link| link.to_body());
    for hash in unlocked.state().kept_slot_hashes() {
        let Some(slot) = read_slot(&*ports.store, &hash).await?.map(Bytes) else { continue };
        if parts.links.is_empty() {
            parts.links.extend(last.clone());
        }
        if parts.slots.len() >= SLOTS_PER_REQUEST {
            parts.flush(None).await?;
            parts.links.extend(last.clone());
        }
        parts.make_room(slot.len()).await?;
        if parts.links.is_empty() {
            parts.links.extend(last.clone());
        }
        parts.slots.push(slot);
    }
    if parts.links.is_empty() {
        parts.links.extend(last);
    }
    parts.flush(kept_record(&*ports.store, unlocked).await?.map(Bytes)).await
}

/// What is given back, in requests of a size that the server takes.
struct Parts<'a> {
    api: &'a Api,
    links: Vec<Bytes>,
    slots: Vec<Bytes>,
    bytes: usize,
}

impl Parts<'_> {
    async fn make_room(&mut self, length: usize) -> Result<(), AccountError> {
        if self.bytes + length > PART_BYTES {
            self.flush(None).await?;
        }
        self.bytes += length;
        Ok(())
    }

    async fn flush(&mut self, record: Option<Bytes>) -> Result<(), AccountError> {
        if self.links.is_empty() {
            return Ok(());
        }
        let (links, slots) = (std::mem::take(&mut self.links), std::mem::take(&mut self.slots));
        self.bytes = 0;
        self.api.heal_account(&HealAccount { links, slots, record }).await?;
        Ok(())
    }
}

/// The OPAQUE record that the log names, if this device made it.
async fn kept_record(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<Option<Vec<u8>>, AccountError> {
    let Some(kept) = store.read(Table::Profile, OPAQUE_RECORD).await? else { return Ok(None) };
    let state = unlocked.state();
    // The password slot and the record were named by the same link.
    let (auth, named) = auth_slot(state, |auth| auth.password_slot)?;
    let place = Place { account_id: state.account_id(), before: named.before };
    let ctx = place.opaque_record(unlocked.device_id(), state.generation());
    Ok(open_slot(unlocked.ark(), &ctx, &kept, &RecordCheck(auth.record_hash)).ok())
}
