//! Catch-up of the account's log (R-HEAL): a server that was restored from a backup gets back, byte for byte, the links
//! that it lost, with the slots and the OPAQUE record that the last of them names.
//!
//! The links are their own proof, so no session is needed: the server may not know this device any more.

use lockstep_crypto::slots::{RecordCheck, open_slot};
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
    let links = read_links(&*ports.store, &unlocked.account_id()).await?;
    let links = links.iter().filter(|link| after.is_none_or(|after| link.value().seq > after));
    let mut slots = Vec::new();
    for hash in unlocked.state().slot_hashes() {
        slots.extend(read_slot(&*ports.store, &hash).await?.map(Bytes));
    }
    let record = kept_record(&*ports.store, unlocked).await?.map(Bytes);
    let body = HealAccount { links: links.map(|link| link.to_body()).collect(), slots, record };
    api.heal_account(&body).await?;
    Ok(())
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
