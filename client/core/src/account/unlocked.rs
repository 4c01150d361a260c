//! Everything an unlocked device holds in memory. Dropping it locks.

use std::sync::Arc;

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::keys::{Ark, DeviceRngSecret, KEY_LENGTH, Lrk};
use lockstep_crypto::kit::{EmergencyKit, ServerUrl};
use lockstep_crypto::random::Random;
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::{AccountId, DeviceId, Generation, ServerId};
use lockstep_proto::log::{AccountLink, AccountState, Commit, ForkStatement};
use lockstep_proto::sign::Signed;

use super::device_secrets::{DeviceSecrets, put_secrets};
use super::local::LocalSealer;
use super::profile::{Profile, ProfileError};
use super::session::Session;
use crate::api::Api;
use crate::ports::Batch;

/// An unlocked device: its keys, its account's verified log, its profile. Its secrets are wiped when it is dropped.
pub struct Unlocked {
    pub(super) profile: Profile,
    pub(super) keys: Arc<DeviceKeys>,
    pub(super) ark: Ark,
    pub(super) generation: Generation,
    /// What the Recovery Key opens, newest first, while a recovery goes on.
    pub(super) former: Vec<(Generation, Ark)>,
    pub(super) secret_key: SecretKey,
    pub(super) state: AccountState,
    lrk: Lrk,
    sealer: LocalSealer,
    random: Arc<dyn Random>,
}

impl Unlocked {
    pub(super) fn new(
        profile: Profile,
        secrets: DeviceSecrets,
        state: AccountState,
        lrk: Lrk,
        random: Arc<dyn Random>,
    ) -> Self {
        let DeviceSecrets { keys, ark, generation, secret_key } = secrets;
        let sealer = LocalSealer::new(&lrk, Arc::clone(&random), keys.derive_rng_secret());
        let (keys, former) = (Arc::new(keys), Vec::new());
        Self { profile, keys, ark, generation, former, secret_key, state, lrk, sealer, random }
    }

    /// The account.
    pub fn account_id(&self) -> AccountId {
        self.profile.account_id
    }

    /// This device.
    pub fn device_id(&self) -> DeviceId {
        self.profile.device_id
    }

    /// The server's address.
    pub fn server_url(&self) -> &str {
        &self.profile.server_url
    }

    /// The server's id.
    pub fn server_id(&self) -> ServerId {
        self.profile.server_id
    }

    /// The verified log of the account, as pinned on this device.
    pub fn state(&self) -> &AccountState {
        &self.state
    }

    /// Whether the log is at another generation of ARK than this device holds: one that is not in the log (yet) is handed
    /// none, nor one whose slot holds something else.
    pub(crate) fn is_outdated(&self) -> bool {
        self.generation != self.state.generation()
    }

    /// Seals the records of this profile.
    pub fn sealer(&self) -> &LocalSealer {
        &self.sealer
    }

    /// Signs a commit with this device's key.
    pub fn sign_commit(&self, commit: Commit) -> Signed<Commit> {
        Signed::sign(commit, self.keys.signing())
    }

    /// Signs a link with this device's key.
    pub fn sign_link(&self, link: AccountLink) -> Signed<AccountLink> {
        Signed::sign(link, self.keys.signing())
    }

    /// Signs, with this device's key, what it says about a fork.
    pub fn sign_fork_statement(&self, statement: ForkStatement) -> Signed<ForkStatement> {
        Signed::sign(statement, self.keys.signing())
    }

    /// The account's root key, of the generation that [`Unlocked::state`] names, unless this device was not given that.
    pub fn ark(&self) -> &Ark {
        &self.ark
    }

    /// Whether there may be keys that nobody can open: keys of former generations lead on then.
    pub(crate) fn goes_back(&self) -> bool {
        self.is_outdated() || !self.former.is_empty()
    }

    /// Every root key that is here, newest first: that of this device, and those that the Recovery Key opens. A vault's key is
    /// sealed under each, with the slot that the log named at that generation.
    pub(crate) fn arks(&self) -> Vec<(Generation, &Ark)> {
        let former = self.former.iter().map(|(generation, ark)| (*generation, ark));
        let mut arks: Vec<_> = former.filter(|(generation, _)| *generation != self.generation).collect();
        arks.push((self.generation, &self.ark));
        arks.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
        arks
    }

    /// The secret that hedges every salt of this device.
    pub fn rng_secret(&self) -> &DeviceRngSecret {
        self.sealer.rng_secret()
    }

    /// The source of randomness.
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Randomness hedged with [`Unlocked::rng_secret`]: what sealing takes.
    pub fn hedge(&self) -> Hedge<'_> {
        self.sealer.hedge()
    }

    /// The local root key, for a process that keeps this profile unlocked and hands it to
    /// [`unlock_with_lrk`](super::unlock_with_lrk). Whoever has these bytes and the profile's files has everything.
    pub fn expose_lrk(&self) -> &[u8; KEY_LENGTH] {
        self.lrk.expose_bytes()
    }

    /// The Emergency Kit, to be printed.
    ///
    /// # Errors
    /// [`ProfileError::Damaged`] where the profile's server address cannot stand on a sheet.
    pub fn emergency_kit(&self) -> Result<EmergencyKit, ProfileError> {
        let server_url = ServerUrl::new(self.server_url());
        Ok(EmergencyKit {
            secret_key: self.secret_key.duplicate(),
            account_id: self.account_id(),
            server_url: server_url.map_err(|_| ProfileError::Damaged("the server's address"))?,
            server_id: self.server_id(),
            ksf_profile: self.state.auth().map_or(self.profile.ksf_profile, |auth| auth.profile),
        })
    }

    /// A session of this device.
    pub fn session(&self, api: &Api) -> Session {
        Session::new(api, self)
    }

    pub(super) fn lrk(&self) -> &Lrk {
        &self.lrk
    }

    pub(super) fn put_secrets(&self, batch: &mut Batch) -> Result<(), ProfileError> {
        put_secrets(&self.keys, &self.ark, self.generation, &self.secret_key, &self.sealer, batch)
    }
}
