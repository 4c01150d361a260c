//! Earlier account root keys: every rekey seals the one before under the one it makes.
//!
//! They open sealed bodies of older links, and the vault slots of an interrupted rekey; nothing is sealed under them.

use std::collections::BTreeMap;

use lockstep_crypto::keys::Ark;
use lockstep_crypto::slots::{ArkCheck, open_slot};
use lockstep_proto::ids::{Generation, Hash, Seq};
use lockstep_proto::log::{LinkBody, LogHead, Rekey};

use super::error::AccountError;
use super::log_store::read_links;
use super::profile::ProfileError;
use super::slots::Place;
use super::unlocked::Unlocked;
use crate::ports::LocalStore;

/// ARK of an earlier generation, checked against its commitment in the log.
pub(super) async fn ark_before(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    wanted: Generation,
) -> Result<Ark, AccountError> {
    let mut commits = BTreeMap::<Generation, Hash>::new();
    let mut rekeys = BTreeMap::<Generation, (Rekey, LogHead)>::new();
    for link in read_links(store, &unlocked.account_id()).await? {
        let link = link.value();
        let before = LogHead { seq: Seq(link.seq.0.saturating_sub(1)), hash: link.prev_hash };
        let rekey = match &link.body {
            LinkBody::Genesis(genesis) => {
                commits.insert(Generation(1), genesis.ark_commit);
                continue;
            }
            LinkBody::Rekey(rekey) => Rekey::clone(rekey),
            LinkBody::Recover(recover) => recover.rekey.clone(),
            _ => continue,
        };
        commits.insert(rekey.generation, rekey.ark_commit);
        rekeys.insert(rekey.generation, (rekey, before));
    }
    let damaged = || ProfileError::Damaged("the account's log lacks a root key");
    let mut ark = Ark::from_bytes(*unlocked.ark().expose_bytes());
    let mut generation = unlocked.generation;
    while generation > wanted {
        let (rekey, before) = rekeys.get(&generation).ok_or_else(damaged)?;
        let ctx = Place { account_id: unlocked.account_id(), before: *before }.prev_ark(generation);
        generation = Generation(generation.0 - 1);
        let commit = *commits.get(&generation).ok_or_else(damaged)?;
        let check = ArkCheck { seed: *unlocked.state().seed(), generation, commit };
        ark = open_slot(&ark, &ctx, &rekey.prev_ark, &check)?;
    }
    if generation == wanted { Ok(ark) } else { Err(damaged().into()) }
}
