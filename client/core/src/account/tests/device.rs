//! A device: its ports, and short forms of what it does.

use std::sync::Arc;

use lockstep_crypto::kit::{EmergencyKit, ServerUrl};
use lockstep_crypto::password::Password;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_crypto::stretch::CheapStretch;

use super::super::*;
use super::server::Server;
use crate::api::Api;
use crate::ports::{InlineStretcher, MemoryKeychain, MemoryLocalStore, Ports};
use crate::testing::{TestClock, TestRandom, block_on};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct Device {
    pub(super) server: Arc<Server>,
    pub(crate) store: Arc<MemoryLocalStore>,
    pub(crate) ports: Ports,
}

impl Device {
    pub(super) fn new(server: &Arc<Server>, seed: u64) -> Self {
        let store = Arc::new(MemoryLocalStore::new());
        let ports = Ports {
            clock: Arc::new(TestClock::at(1_700_000_000_000)),
            random: Arc::new(TestRandom::new(seed)),
            stretcher: Arc::new(InlineStretcher(Arc::new(CheapStretch))),
            store: store.clone(),
            keychain: Arc::new(MemoryKeychain::new()),
            transport: server.clone(),
        };
        Self { server: Arc::clone(server), store, ports }
    }

    /// The device after a power cut: only what is durable.
    pub(super) fn after_power_cut(&self) -> Self {
        let store = Arc::new(self.store.snapshot());
        let ports =
            Ports { store: store.clone(), random: Arc::new(TestRandom::new(99)), ..self.ports.clone() };
        Self { server: Arc::clone(&self.server), store, ports }
    }

    pub(super) fn sign_up(&self) -> Result<SignedUp, SignUpError> {
        self.sign_up_with(None)
    }

    pub(super) fn sign_up_with(&self, invite: Option<String>) -> Result<SignedUp, SignUpError> {
        let server_url = ServerUrl::new("https://vault.example.org").unwrap();
        block_on(sign_up(&self.ports, NewAccount { server_url, password: &password(PASSWORD), invite }))
    }

    pub(super) fn sign_in(&self, kit: &EmergencyKit) -> Result<Unlocked, SignInError> {
        self.sign_in_as(kit, PASSWORD)
    }

    pub(super) fn sign_in_as(&self, kit: &EmergencyKit, text: &str) -> Result<Unlocked, SignInError> {
        block_on(async {
            let password = password(text);
            start_sign_in(&self.ports, kit, &password).await?.confirm().await
        })
    }

    /// The key that countersigns, by the password that is typed.
    pub(super) fn password_key(&self, unlocked: &mut Unlocked) -> PasswordKey {
        block_on(countersigning_key(&self.ports, &self.api(), unlocked, &password(PASSWORD))).unwrap()
    }

    pub(super) fn unlock(&self) -> Result<Unlocked, ProfileError> {
        block_on(unlock(&self.ports, &password(PASSWORD)))
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.ports.transport.clone())
    }

    pub(super) fn pull(&self, unlocked: &mut Unlocked) -> Result<AccountChange, AccountError> {
        let api = self.api();
        let session = unlocked.session(&api);
        block_on(pull_account(&self.ports, &api, unlocked, &session))
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.store.values().is_empty()
    }

    pub(super) fn holds(&self, needle: &[u8]) -> bool {
        self.store.values().iter().any(|value| contains(value, needle))
    }
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A server, a device with an account on it, and what sign-up gave.
pub(crate) fn account() -> (Arc<Server>, Device, SignedUp) {
    let server = Arc::new(Server::new());
    let device = Device::new(&server, 2);
    let signed_up = device.sign_up().unwrap();
    (server, device, signed_up)
}
