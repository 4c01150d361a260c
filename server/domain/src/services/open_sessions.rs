//! Sessions without a device: of a sign-in, or of the Recovery Key. In memory; they end with the process.

use std::sync::Arc;

use lockstep_proto::api::ENROLMENT_SECONDS;
use lockstep_proto::bytes::{from_base64url, to_base64url};
use lockstep_proto::hash::hash;
use lockstep_proto::ids::{AccountId, DeviceId, Hash};
use lockstep_proto::log::AccountState;
use lockstep_proto::sign::PublicKey;

use super::Ports;
use crate::caller::{Caller, Session};
use crate::limits::AddressKey;
use crate::ports::{Clock, Random, make_bytes};
use crate::signin::Waiting;

/// How many are open at once, at most; then one gives way of the address that has most.
const CAPACITY: usize = 65_536;

/// A session that somebody opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    account_id: AccountId,
    proof: Proof,
}

/// By what it was opened; it ends when that is no longer the account's.
#[derive(Debug, Clone, Copy)]
enum Proof {
    Record { hash: Hash, added: Option<DeviceId> },
    RecoveryKey { key: PublicKey, spent: bool },
}

/// The sessions.
pub(super) struct OpenSessions {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    open: Waiting<Hash, Opened>,
}

impl OpenSessions {
    pub(super) fn new(ports: &Ports) -> Self {
        let open = Waiting::new(CAPACITY, u64::from(ENROLMENT_SECONDS) * 1_000);
        Self { clock: ports.clock.clone(), random: ports.random.clone(), open }
    }

    /// Opens an enrolment session for who signed in with this OPAQUE record: its token, and when it ends.
    pub(super) fn open_enrolment(
        &self,
        account_id: AccountId,
        record: Hash,
        address: AddressKey,
    ) -> (String, u64) {
        self.open(account_id, Proof::Record { hash: record, added: None }, address)
    }

    /// Opens a recovery session for who signed with this key.
    pub(super) fn open_recovery(
        &self,
        account_id: AccountId,
        key: PublicKey,
        address: AddressKey,
    ) -> (String, u64) {
        self.open(account_id, Proof::RecoveryKey { key, spent: false }, address)
    }

    fn open(&self, account_id: AccountId, proof: Proof, address: AddressKey) -> (String, u64) {
        let token: [u8; 32] = make_bytes(&*self.random);
        let opened = Opened { account_id, proof };
        let expires_ms = self.open.insert(token_hash(&token), opened, address, self.clock.now_ms());
        (to_base64url(&token), expires_ms)
    }

    /// The session of this token, if it has not ended.
    pub(super) fn find(&self, token: &str) -> Option<(Hash, Opened)> {
        let token = token_hash(&from_base64url(token)?);
        Some((token, self.open.find(&token, self.clock.now_ms())?))
    }

    /// The session has appended links that led to this state, and brought this device in.
    pub(super) fn note_appended(&self, token: &Hash, after: &AccountState, device: Option<DeviceId>) {
        self.open.change(token, |opened| match &mut opened.proof {
            Proof::Record { hash, added } => {
                *hash = after.auth().map_or(*hash, |auth| auth.record_hash);
                *added = device.or(*added);
            }
            Proof::RecoveryKey { spent, .. } => *spent = true,
        });
    }
}

impl Opened {
    pub(super) fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// Who that is, as long as what it was opened with is still the account's.
    pub(super) fn caller(&self, token: Hash, state: &AccountState) -> Option<Caller> {
        let (valid, session) = match self.proof {
            Proof::Record { hash, added } => (
                state.auth().is_some_and(|auth| auth.record_hash == hash),
                Session::Enrolment { token, added },
            ),
            Proof::RecoveryKey { key, spent } => {
                (spent || state.recovery().signing == key, Session::Recovery { token, spent })
            }
        };
        valid.then_some(Caller { account_id: self.account_id, session })
    }
}

fn token_hash(token: &[u8]) -> Hash {
    hash("enrolment-token", &[token])
}
