//! Sign-in with Emergency Kit and password: a new device of an existing account.
//!
//! **Order:** OPAQUE; the whole log, verified; the password slot, opened and checked; the person confirms the account's
//! devices; the new device's keys and its signed link, durable here; the link is sent. Before the confirmation nothing
//! is stored.

use std::collections::BTreeMap;

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::kit::EmergencyKit;
use lockstep_crypto::opaque::Parties;
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_proto::ids::{DeviceId, Hash, Seq};
use lockstep_proto::log::{AccountState, Enrolment};

use super::dates::added_ms;
use super::device_secrets::DeviceSecrets;
use super::enrolment::{enrol, make_device_link, put_device_link};
use super::error::AccountError;
use super::events::put_link_events;
use super::local_password::put_password_key;
use super::local_slot::make_local_slot;
use super::log_store::{put_links, put_pin, put_slots};
use super::log_sync::pull_with_slots;
use super::profile::{Profile, Stage, refuse_existing};
use super::pull::Pulled;
use super::session::EnrolmentToken;
use super::sign_in_error::SignInError;
use super::sign_in_run::{Entrant, check_log, enter};
use super::slots::{auth_slot, open_password_slot};
use super::unlocked::Unlocked;
use crate::api::Api;
use crate::ports::{Batch, Ports};

/// A device that the account's log lists as active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownDevice {
    /// The device.
    pub device_id: DeviceId,
    /// The link that added it.
    pub added: Seq,
    /// When, in milliseconds since 1970: the word of the clock of who signed that link.
    pub added_ms: u64,
    /// How it came in; `None` for the device that signed up.
    pub how: Option<Enrolment>,
}

/// A sign-in that waits for the person to say that the account's devices are theirs. The log is as fresh as the server
/// says and no fresher: until another device confirms it, an app labels it "freshness not confirmed". Lasts five
/// minutes; dropping it leaves nothing behind.
pub struct PendingSignIn<'a> {
    ports: &'a Ports,
    kit: &'a EmergencyKit,
    password: &'a Password,
    api: Api,
    token: EnrolmentToken,
    pulled: Pulled,
    slots: BTreeMap<Hash, Vec<u8>>,
    ark: Ark,
    password_key: PasswordKey,
}

/// Signs in with Kit and password up to the point where the person confirms the account's devices. The transport port
/// leads to the Kit's server.
///
/// # Errors
/// [`SignInError`]; nothing was stored.
pub async fn start_sign_in<'a>(
    ports: &'a Ports,
    kit: &'a EmergencyKit,
    password: &'a Password,
) -> Result<PendingSignIn<'a>, SignInError> {
    refuse_existing(&*ports.store).await?;
    let api = Api::new(ports.transport.clone());
    let entrant = Entrant {
        parties: Parties { account_id: kit.account_id, server_id: kit.server_id },
        secret_key: &kit.secret_key,
        password,
        floor: kit.ksf_profile,
    };
    let entered = Box::pin(enter(ports, &api, &entrant)).await?;
    let (pulled, slots) = pull_with_slots(&*ports.store, &api, &entered.token, &kit.account_id, None).await?;
    check_log(&pulled.state, &entered, &entrant)?;
    let (_, named) = auth_slot(&pulled.state, |auth| auth.password_slot)?;
    let slot = slots.get(&named.hash).ok_or(AccountError::SlotMissing { hash: named.hash })?;
    let ark = open_password_slot(&pulled.state, &entered.auk, slot)?;
    let (token, password_key) = (entered.token, entered.password_key);
    Ok(PendingSignIn { ports, kit, password, api, token, pulled, slots, ark, password_key })
}

/// The account's active devices, ascending by the link that added them.
pub(super) fn known_devices(state: &AccountState) -> Vec<KnownDevice> {
    let devices = state.devices().iter().filter(|(_, device)| device.is_active());
    let mut devices: Vec<_> = devices
        .map(|(id, device)| KnownDevice {
            device_id: *id,
            added: device.added(),
            added_ms: added_ms(state, device),
            how: device.how(),
        })
        .collect();
    devices.sort_by_key(|device| device.added);
    devices
}

impl PendingSignIn<'_> {
    /// The account's active devices, ascending by the link that added them: "are these yours?".
    pub fn devices(&self) -> Vec<KnownDevice> {
        known_devices(&self.pulled.state)
    }

    /// The account's verified log, as the server shows it.
    pub fn state(&self) -> &AccountState {
        &self.pulled.state
    }

    /// The person says that the devices are theirs: makes this device's keys, stores everything, and enters the device
    /// into the account's log.
    ///
    /// # Errors
    /// [`SignInError`]. Once the device's keys are stored the profile is unfinished; [`super::resume_sign_in`] goes on
    /// and [`super::abandon_unfinished`] gives up.
    pub async fn confirm(self) -> Result<Unlocked, SignInError> {
        let Self { ports, kit, password, api, token, pulled, slots, ark, password_key } = self;
        refuse_existing(&*ports.store).await?;
        let keys = DeviceKeys::make(&*ports.random);
        let link = make_device_link(&pulled.state, &ark, &keys, &password_key, ports.clock.now_ms());
        let rng_secret = keys.derive_rng_secret();
        let hedge = Hedge::new(&*ports.random, &rng_secret);
        let owner = (kit.account_id, keys.device_id());
        let ksf_profile = pulled.state.auth().map_or(kit.ksf_profile, |auth| auth.profile);
        let local = Box::pin(make_local_slot(ports, password, owner, ksf_profile, &hedge)).await?;
        let profile = Profile {
            stage: Stage::SigningIn,
            server_url: kit.server_url.as_str().to_owned(),
            server_id: kit.server_id,
            account_id: owner.0,
            device_id: owner.1,
            ksf_profile,
            salt: local.salt,
            local_slot: local.slot,
        };
        let secret_key = kit.secret_key.duplicate();
        let secrets = DeviceSecrets { keys, ark, generation: pulled.state.generation(), secret_key };
        let mut batch = Batch::new();
        profile.put(Stage::SigningIn, &mut batch);
        put_links(&owner.0, &pulled.links, &mut batch);
        put_slots(slots.values(), &mut batch);
        let unlocked = Unlocked::new(profile, secrets, pulled.state, local.lrk, ports.random.clone());
        unlocked.put_secrets(&mut batch)?;
        put_pin(unlocked.state(), unlocked.sealer(), &mut batch)?;
        put_password_key(&unlocked, &local.luk, &password_key, &mut batch)?;
        put_link_events(&unlocked, (None, None), None, &pulled.links, ports.clock.now_ms(), &mut batch)?;
        put_device_link(&unlocked, &link, &mut batch)?;
        ports.store.write(batch).await.map_err(AccountError::from)?;
        enrol(ports, &api, (&token, &password_key), unlocked, link).await
    }
}
