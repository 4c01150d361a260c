//! The account's log, its slots and its pin in the local store.

use lockstep_crypto::keys::Lrk;
use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{AccountId, Generation, Hash, Seq};
use lockstep_proto::log::{AccountLink, AccountState, LogHead};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::KsfProfile;
use lockstep_proto::wrap::slot_hash;

use super::local::{self, LocalSealer};
use super::profile::{ACCOUNT_PIN, Profile, ProfileError};
use crate::ports::{Batch, LocalStore, Table};

const FORMAT: u16 = 1;
/// Links read from the store at once.
const PAGE: usize = 64;

/// What this device has seen of its account and never goes below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AccountPin {
    head: LogHead,
    generation: Generation,
    secret_key_generation: Generation,
    profile: KsfProfile,
    opaque_server_key: [u8; 32],
}

impl Canon for AccountPin {
    fn encode(&self, out: &mut Encoder) {
        out.u16(FORMAT);
        self.head.encode(out);
        self.generation.encode(out);
        self.secret_key_generation.encode(out);
        self.profile.encode(out);
        out.fixed(&self.opaque_server_key);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "account pin", value: u32::from(format) });
        }
        Ok(Self {
            head: Canon::decode(input)?,
            generation: Canon::decode(input)?,
            secret_key_generation: Canon::decode(input)?,
            profile: Canon::decode(input)?,
            opaque_server_key: input.fixed()?,
        })
    }
}

impl AccountPin {
    fn of(state: &AccountState) -> Option<Self> {
        let auth = state.auth()?;
        Some(Self {
            head: state.head(),
            generation: state.generation(),
            secret_key_generation: auth.secret_key_generation,
            profile: auth.profile,
            opaque_server_key: auth.opaque_server_key,
        })
    }
}

/// The log that the profile holds: verified again from its genesis, and ending exactly at the pin.
pub(super) async fn load(
    store: &dyn LocalStore,
    profile: &Profile,
    lrk: &Lrk,
) -> Result<AccountState, ProfileError> {
    let damaged = ProfileError::Damaged("the account's log");
    let sealed = store.read(Table::Profile, ACCOUNT_PIN).await?;
    let sealed = sealed.ok_or(ProfileError::Damaged("the account's pin is missing"))?;
    let pin = local::open_with(lrk, Table::Profile, ACCOUNT_PIN, &sealed);
    let pin = pin.map_err(|_| ProfileError::Damaged("the account's pin"))?;
    let pin: AccountPin = canon::from_bytes(&pin).map_err(|_| ProfileError::Damaged("the account's pin"))?;
    let links = read_links(store, &profile.account_id).await?;
    let state = AccountState::from_links(&links).map_err(|_| ProfileError::Damaged("the account's log"))?;
    let whole = state.account_id() == profile.account_id && AccountPin::of(&state) == Some(pin);
    if whole { Ok(state) } else { Err(damaged) }
}

/// Adds links, byte for byte.
pub(super) fn put_links(account_id: &AccountId, links: &[Signed<AccountLink>], batch: &mut Batch) {
    for link in links {
        batch.put(Table::Links, link_key(account_id, link.value().seq), link.to_wire());
    }
}

/// Adds slots, byte for byte, under their hashes.
pub(super) fn put_slots<'a>(slots: impl IntoIterator<Item = &'a Vec<u8>>, batch: &mut Batch) {
    for slot in slots {
        batch.put(Table::Slots, slot_hash(slot).as_bytes().to_vec(), slot.clone());
    }
}

/// Adds the pin of this state.
pub(super) fn put_pin(
    state: &AccountState,
    sealer: &LocalSealer,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let pin = AccountPin::of(state).ok_or(ProfileError::Damaged("the account's log has no sign-in"))?;
    let sealed = sealer.seal(Table::Profile, ACCOUNT_PIN, &canon::to_bytes(&pin));
    batch.put(Table::Profile, ACCOUNT_PIN, sealed.map_err(|_| ProfileError::Damaged("the account's pin"))?);
    Ok(())
}

/// The slot with this hash, if the profile has it.
pub(super) async fn read_slot(store: &dyn LocalStore, hash: &Hash) -> Result<Option<Vec<u8>>, ProfileError> {
    let slot = store.read(Table::Slots, hash.as_bytes()).await?;
    Ok(slot.filter(|slot| slot_hash(slot) == *hash))
}

/// One link, byte for byte.
pub(super) async fn read_link(
    store: &dyn LocalStore,
    account_id: &AccountId,
    seq: Seq,
) -> Result<Option<Vec<u8>>, ProfileError> {
    Ok(store.read(Table::Links, &link_key(account_id, seq)).await?)
}

/// Every link of the account's log, in order.
pub(crate) async fn read_links(
    store: &dyn LocalStore,
    account_id: &AccountId,
) -> Result<Vec<Signed<AccountLink>>, ProfileError> {
    let mut links = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(Table::Links, account_id.as_bytes(), after.as_deref(), PAGE).await?;
        for (_, wire) in &page {
            links.push(
                Signed::from_wire(wire).map_err(|_| ProfileError::Damaged("a link of the account's log"))?,
            );
        }
        if page.len() < PAGE {
            return Ok(links);
        }
        after = page.into_iter().next_back().map(|(key, _)| key);
    }
}

fn link_key(account_id: &AccountId, seq: Seq) -> Vec<u8> {
    [&account_id.as_bytes()[..], &seq.0.to_be_bytes()].concat()
}
