//! What a sign-up stores, and how the message that makes the account is put together from it, the same every time.

use lockstep_crypto::keys::{Lrk, Luk};
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::slots::{RecordCheck, open_slot};
use lockstep_proto::api::signup::SignupFinish;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::canon::{CanonError, Decoder, Encoder};
use lockstep_proto::ids::{Generation, Seq};
use lockstep_proto::log::{AccountState, LogHead};
use zeroize::Zeroizing;

use super::device_secrets::DeviceSecrets;
use super::error::AccountError;
use super::events::put_link_events;
use super::local_password::put_password_key;
use super::log_store::{put_links, put_pin, put_slots, read_link, read_slot};
use super::new_account::{NewKeys, NewSignIn};
use super::profile::{OPAQUE_RECORD, Profile, ProfileError, SIGN_UP, Stage};
use super::slots::Place;
use super::unlocked::Unlocked;
use crate::ports::{Batch, LocalStore, Ports, Table};

const FORMAT: u16 = 1;
/// An invitation, at most, in bytes.
pub(super) const INVITE_LIMIT: usize = 1_024;

/// What only a sign-up needs, kept until the person has the Recovery Key on paper.
pub(super) struct Unshown {
    pub(super) recovery_key: RecoveryKey,
    pub(super) invite: Option<String>,
}

impl Unshown {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Encoder::new();
        out.u16(FORMAT);
        out.fixed(self.recovery_key.expose_bytes());
        out.bool(self.invite.is_some());
        out.bytes(self.invite.as_deref().unwrap_or_default().as_bytes());
        Zeroizing::new(out.into_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CanonError> {
        let mut input = Decoder::new(bytes);
        let format = input.u16()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "sign-up", value: u32::from(format) });
        }
        let recovery_key = RecoveryKey::from_bytes(input.fixed()?);
        let invited = input.bool()?;
        let invite = input.bytes(INVITE_LIMIT)?;
        let invite = std::str::from_utf8(invite).map_err(|_| CanonError::Invalid("invite"))?;
        input.finish()?;
        Ok(Self { recovery_key, invite: invited.then(|| invite.to_owned()) })
    }
}

/// Writes the whole new account in one batch. Nothing may be sent before this returns.
pub(super) async fn store(
    ports: &Ports,
    profile: Profile,
    keys: NewKeys,
    sign_in: NewSignIn,
    (lrk, luk): (Lrk, &Luk),
    invite: Option<String>,
) -> Result<(Unlocked, Unshown), AccountError> {
    let NewKeys { device, ark, secret_key, recovery_key, genesis, .. } = keys;
    let unshown = Unshown { recovery_key, invite };
    let links = [genesis, sign_in.auth_update];
    let state = AccountState::from_links(&links)?;
    let secrets = DeviceSecrets { keys: device, ark, generation: Generation(1), secret_key };
    let mut batch = Batch::new();
    profile.put(Stage::SigningUp, &mut batch);
    put_links(&profile.account_id, &links, &mut batch);
    put_slots(sign_in.slots.all(), &mut batch);
    batch.put(Table::Profile, OPAQUE_RECORD, sign_in.sealed_record);
    let unlocked = Unlocked::new(profile, secrets, state, lrk, ports.random.clone());
    unlocked.put_secrets(&mut batch)?;
    put_pin(unlocked.state(), unlocked.sealer(), &mut batch)?;
    put_password_key(&unlocked, luk, &sign_in.password_key, &mut batch)?;
    put_link_events(&unlocked, (None, None), None, &links, ports.clock.now_ms(), &mut batch)?;
    put_unshown(&unlocked, &unshown, &mut batch)?;
    ports.store.write(batch).await?;
    Ok((unlocked, unshown))
}

/// The message that makes the account.
pub(super) async fn request(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    unshown: &Unshown,
) -> Result<SignupFinish, AccountError> {
    let damaged = || ProfileError::Damaged("the sign-up");
    let auth = unlocked.state().auth().ok_or_else(damaged)?;
    let mut slots = Vec::new();
    for hash in [auth.password_slot, auth.recovery_slot, auth.uek_slot, auth.secret_key_slot] {
        slots.push(Bytes(read_slot(store, &hash).await?.ok_or(AccountError::SlotMissing { hash })?));
    }
    let genesis = read_link(store, &unlocked.account_id(), Seq(0)).await?.ok_or_else(damaged)?;
    let auth_update = read_link(store, &unlocked.account_id(), Seq(1)).await?.ok_or_else(damaged)?;
    let sealed = store.read(Table::Profile, OPAQUE_RECORD).await?.ok_or_else(damaged)?;
    let before = LogHead { seq: Seq(0), hash: unlocked.state().hash_at(Seq(0)).ok_or_else(damaged)? };
    let place = Place { account_id: unlocked.account_id(), before };
    let ctx = place.opaque_record(unlocked.device_id(), Generation(1));
    let record: Vec<u8> = open_slot(unlocked.ark(), &ctx, &sealed, &RecordCheck(auth.record_hash))?;
    Ok(SignupFinish {
        genesis: Bytes(genesis),
        auth_update: Bytes(auth_update),
        slots,
        record: Bytes(record),
        invite: unshown.invite.clone(),
    })
}

/// Marks the profile as finished.
pub(super) async fn set_ready(ports: &Ports, mut unlocked: Unlocked) -> Result<Unlocked, ProfileError> {
    let mut batch = Batch::new();
    unlocked.profile.put(Stage::Ready, &mut batch);
    ports.store.write(batch).await?;
    unlocked.profile.stage = Stage::Ready;
    Ok(unlocked)
}

/// Adds what waits to be shown to a batch.
pub(super) fn put_unshown(
    unlocked: &Unlocked,
    unshown: &Unshown,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, SIGN_UP, &unshown.encode());
    batch.put(Table::Profile, SIGN_UP, sealed.map_err(|_| ProfileError::Damaged("the sign-up"))?);
    Ok(())
}

/// What waits to be shown, if anything does.
pub(super) async fn read_unshown(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Option<Unshown>, ProfileError> {
    let Some(sealed) = store.read(Table::Profile, SIGN_UP).await? else { return Ok(None) };
    let damaged = || ProfileError::Damaged("its Recovery Key");
    let bytes = unlocked.sealer().open(Table::Profile, SIGN_UP, &sealed).map_err(|_| damaged())?;
    Unshown::decode(&bytes).map(Some).map_err(|_| damaged())
}

/// Removes what waits to be shown.
pub(super) async fn forget(ports: &Ports) -> Result<(), ProfileError> {
    let mut batch = Batch::new();
    batch.delete(Table::Profile, SIGN_UP);
    Ok(ports.store.write(batch).await?)
}
