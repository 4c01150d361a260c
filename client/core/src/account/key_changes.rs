//! The links by which a device of the account changes its password or all of its keys.

use std::collections::{BTreeMap, BTreeSet};

use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_crypto::slots::seal_slot;
use lockstep_crypto::unlock::derive_auk;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::ids::{DeviceId, VaultId};
use lockstep_proto::log::{
    AccountLink, AuthUpdate, DeviceAdd, Enrolment, LinkBody, Recover, RekeyReason, Signer, VaultHead,
};
use lockstep_proto::sign::Signed;
use lockstep_proto::signin::record_hash;
use lockstep_proto::wrap::slot_hash;

use super::error::AccountError;
use super::in_flight::LinkParts;
use super::recover::Recovery;
use super::registration::{NewRecord, next_profile, password_key, register};
use super::rekey::{NextVaultKey, Old, Plan, make_rekey};
use super::sign_up_records::{Unshown, put_unshown};
use super::slots::{Place, auth_slot, stored_slot};
use super::unlocked::Unlocked;
use crate::api::{Api, TokenSource};
use crate::ports::{Batch, Ports};

/// Why keys change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// Devices were wiped by their owner.
    Retired(BTreeSet<DeviceId>),
    /// Devices were lost or stolen: the Secret Key changes, too, and the Emergency Kit with it.
    Lost(BTreeSet<DeviceId>),
    /// No device goes; the keys are fresh. With or without a new Secret Key.
    Rotation {
        /// Whether the Secret Key changes, too.
        new_secret_key: bool,
    },
}

impl KeyChange {
    /// The devices that go.
    pub fn revoked(&self) -> BTreeSet<DeviceId> {
        match self {
            Self::Retired(devices) | Self::Lost(devices) => devices.clone(),
            Self::Rotation { .. } => BTreeSet::new(),
        }
    }

    fn reason(&self) -> RekeyReason {
        match self {
            Self::Retired(_) => RekeyReason::Retired,
            Self::Lost(_) => RekeyReason::Lost,
            Self::Rotation { .. } => RekeyReason::Rotation,
        }
    }

    fn new_secret_key(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Rotation { new_secret_key: true })
    }
}

/// A link, what it names, and the key that countersigns once it is in the log.
pub(crate) struct NewPassword {
    pub(crate) link: Signed<AccountLink>,
    pub(crate) parts: LinkParts,
    pub(crate) key: PasswordKey,
}

/// The device's rekey after the log's head, with all it names. `epochs` says which epoch each vault gets; `password` is
/// the account's from then on, `key` that of the password before.
///
/// # Errors
/// [`AccountError`]; nothing was stored.
pub(crate) async fn make_rekey_link(
    ports: &Ports,
    (api, tokens): (&Api, &dyn TokenSource),
    unlocked: &Unlocked,
    (change, password, key): (&KeyChange, &Password, &PasswordKey),
    epochs: BTreeMap<VaultId, NextVaultKey>,
    heads: Vec<VaultHead>,
) -> Result<NewPassword, AccountError> {
    let state = unlocked.state();
    let revoked = change.revoked();
    let bars = Signed::sign(bar_statement(unlocked, &revoked), &key.signing());
    let plan = Plan {
        reason: change.reason(),
        revoked,
        joining: None,
        recovery: state.recovery().clone(),
        new_secret_key: change.new_secret_key().then(|| SecretKey::make(&*ports.random)),
        epochs,
    };
    let (_, named) = auth_slot(state, |auth| auth.uek_slot)?;
    let uek_slot = stored_slot(&*ports.store, &named).await?;
    let secret_key = plan.new_secret_key.as_ref().unwrap_or(&unlocked.secret_key);
    let registered = Box::pin(register(ports, api, tokens, state, secret_key, password)).await?;
    let old = Old { state, ark: unlocked.ark(), secret_key: &unlocked.secret_key, uek_slot: &uek_slot };
    let (random, hedge) = (&*ports.random, unlocked.hedge());
    let (rekey, parts) = make_rekey(&plan, &old, &registered, unlocked.device_id(), (random, &hedge))?;
    let said = (ports.clock.now_ms(), heads);
    let link = countersigned_link(unlocked, key, said, LinkBody::Rekey(Box::new(rekey)));
    let parts = LinkParts { bars: Some(*bars.signature()), ..parts };
    Ok(NewPassword { link, parts, key: password_key(&registered, &state.account_id()) })
}

/// What the password's key or the Recovery Key signs, so that the server bars these devices for who removes them after
/// the log's head.
pub(crate) fn bar_statement(unlocked: &Unlocked, devices: &BTreeSet<DeviceId>) -> BarStatement {
    BarStatement {
        server_id: unlocked.server_id(),
        account_id: unlocked.account_id(),
        device_id: unlocked.device_id(),
        head: unlocked.state().head(),
        devices: devices.iter().copied().collect(),
    }
}

/// The link by which the Recovery Key takes the account back and changes every key, and the new Recovery Key, which the
/// batch makes durable as papers to be shown. Where this device is none of the account's, it joins.
///
/// # Errors
/// [`AccountError`]; nothing was stored.
pub(crate) async fn make_recover_link(
    ports: &Ports,
    (api, tokens): (&Api, &dyn TokenSource),
    unlocked: &Unlocked,
    (recovery, password): (&Recovery, &Password),
    epochs: BTreeMap<VaultId, NextVaultKey>,
    heads: Vec<VaultHead>,
) -> Result<(NewPassword, Batch), AccountError> {
    let state = unlocked.state();
    let active = state.devices().iter().filter(|(_, device)| device.is_active()).map(|(id, _)| *id);
    let joins = state.device(&unlocked.device_id()).is_none();
    let recovery_key = RecoveryKey::make(&*ports.random);
    let plan = Plan {
        reason: RekeyReason::Recovery,
        revoked: active.filter(|id| !recovery.stay.contains(id) && *id != unlocked.device_id()).collect(),
        joining: joins.then(|| unlocked.keys.public().clone()),
        recovery: recovery_key.derive_public_keys(),
        new_secret_key: Some(SecretKey::make(&*ports.random)),
        epochs,
    };
    let secret_key = plan.new_secret_key.as_ref().unwrap_or(&unlocked.secret_key);
    let registered = Box::pin(register(ports, api, tokens, state, secret_key, password)).await?;
    // Where the present one was lost, the newest that is here is sealed in its place.
    let ark = unlocked.arks().first().map_or(unlocked.ark(), |(_, ark)| *ark);
    let old = Old { state, ark, secret_key: &unlocked.secret_key, uek_slot: &[] };
    let (random, hedge) = (&*ports.random, unlocked.hedge());
    let (rekey, parts) = make_rekey(&plan, &old, &registered, unlocked.device_id(), (random, &hedge))?;
    let signing_key = recovery.recovery_key.derive_signing_key();
    // A session of the Recovery Key bars without; a device that recovers from its own profile has none.
    let bars = (!joins).then(|| Signed::sign(bar_statement(unlocked, &plan.revoked), &signing_key));
    let parts = LinkParts { bars: bars.map(|bars| *bars.signature()), ..parts };
    let device = plan.joining.map(|keys| DeviceAdd { keys, how: Enrolment::Recovery });
    let body = LinkBody::Recover(Box::new(Recover { device, recovery: plan.recovery, rekey }));
    let (signer, now_ms) = (Signer::Recovery, ports.clock.now_ms());
    let link = AccountLink::after(state.account_id(), &state.head(), signer, now_ms, heads, body);
    let link = Signed::sign(link, &signing_key);
    let mut batch = Batch::new();
    put_unshown(unlocked, &Unshown { recovery_key, invite: None }, &mut batch)?;
    Ok((NewPassword { link, parts, key: password_key(&registered, &state.account_id()) }, batch))
}

/// The device's `auth_update` for a new password after the log's head, with slot and record; `key` is that of the
/// password before. The Secret Key stays.
///
/// # Errors
/// [`AccountError`]; nothing was stored.
pub(crate) async fn make_password_link(
    ports: &Ports,
    (api, tokens): (&Api, &dyn TokenSource),
    unlocked: &Unlocked,
    (password, key): (&Password, &PasswordKey),
    heads: Vec<VaultHead>,
) -> Result<NewPassword, AccountError> {
    let state = unlocked.state();
    let registered = Box::pin(register(ports, api, tokens, state, &unlocked.secret_key, password)).await?;
    let (auth, _) = auth_slot(state, |auth| auth.password_slot)?;
    let profile = next_profile(state);
    let auk = derive_auk(&unlocked.secret_key, &registered.export_key, &state.account_id(), profile);
    let place = Place { account_id: state.account_id(), before: state.head() };
    let hedge = unlocked.hedge();
    let ctx = place.password(auth.secret_key_generation, state.generation());
    let slot = seal_slot(&auk, &ctx, unlocked.ark(), &hedge)?;
    let new_key = password_key(&registered, &state.account_id());
    let update = AuthUpdate {
        password_slot: slot_hash(&slot),
        record_hash: record_hash(&registered.upload),
        password_key: new_key.public(),
        profile,
        opaque_server_key: registered.server_public_key,
        ..auth.clone()
    };
    let sealing = (unlocked.ark(), state.generation());
    let record = NewRecord::new(registered.upload, sealing, place, unlocked.device_id(), &hedge)?;
    let parts = LinkParts { slots: vec![slot], record: Some(record), bars: None };
    let said = (ports.clock.now_ms(), heads);
    let link = countersigned_link(unlocked, key, said, LinkBody::AuthUpdate(update));
    Ok(NewPassword { link, parts, key: new_key })
}

/// A link of this device after the log's head, signed by the password's key as well. What it says of the present: its
/// clock, and the heads that it has pinned.
pub(super) fn countersigned_link(
    unlocked: &Unlocked,
    key: &PasswordKey,
    (now_ms, heads): (u64, Vec<VaultHead>),
    body: LinkBody,
) -> Signed<AccountLink> {
    let signer = Signer::Device(unlocked.device_id());
    let state = unlocked.state();
    let link = AccountLink::after(state.account_id(), &state.head(), signer, now_ms, heads, body);
    unlocked.sign_link(link).countersigned(&key.signing())
}
