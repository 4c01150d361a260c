//! The rules of how an account is signed in to, and of the countersignature that only its password makes.
//!
//! A device's keys lie in the memory of an unlocked device, and whoever takes them there can sign as that device. What
//! changes who gets in is therefore signed a second time, by a key that comes from OPAQUE's export key and is nowhere
//! but in the hands of who types the password. It is asked of the state before the link, by every verifier.

use std::collections::BTreeMap;

use super::LogHead;
use super::account::AccountState;
use super::account_bodies::{AuthUpdate, LinkBody};
use super::error::LinkError;
use super::link::AccountLink;
use crate::ids::{Generation, Hash, Seq};
use crate::sign::{PublicKey, Signed, Structure as _};

/// How the account is signed in to, with the places where its slots were first named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Auth {
    pub(super) fields: AuthUpdate,
    pub(super) slots: BTreeMap<Hash, LogHead>,
    /// The link that registered this password.
    pub(super) since: Seq,
}

impl AccountState {
    /// A link that changes who gets in has the signature of the password as it was before.
    pub(super) fn check_countersignature(&self, link: &Signed<AccountLink>) -> Result<(), LinkError> {
        if !link.value().is_countersigned() || crate::seeded!("countersignature-unchecked") {
            return Ok(());
        }
        let key = self.countersigning_key(link.value()).ok_or(LinkError::Password)?;
        link.verify_countersignature(&key).map_err(|_| LinkError::Password)
    }

    /// The first auth_update has no password before it: it shows that whoever signs has the key that it names.
    fn countersigning_key(&self, link: &AccountLink) -> Option<PublicKey> {
        match (self.auth(), &link.body) {
            (Some(auth), _) => Some(auth.password_key),
            (None, LinkBody::AuthUpdate(first)) => Some(first.password_key),
            (None, _) => None,
        }
    }

    /// An auth_update changes the password, and nothing else that leads to the account.
    pub(super) fn update_auth(&mut self, fields: &AuthUpdate) -> Result<(), LinkError> {
        if let Some(old) = self.auth() {
            let same = fields.secret_key_generation == old.secret_key_generation;
            if !same && !crate::seeded!("secret-key-changed-in-passing") {
                return Err(LinkError::Rule("the Secret Key changes in a rekey only"));
            }
            if fields.record_hash == old.record_hash || fields.password_slot == old.password_slot {
                return Err(LinkError::Rule("an auth_update brings a new OPAQUE record and password slot"));
            }
            let kept = |auth: &AuthUpdate| [auth.recovery_slot, auth.uek_slot, auth.secret_key_slot];
            if kept(fields) != kept(old) && !crate::seeded!("recovery-slot-changed-in-passing") {
                return Err(LinkError::Rule("an auth_update repeats all slots but the password's"));
            }
        }
        self.announced = None;
        self.set_auth(fields)
    }

    pub(super) fn set_auth(&mut self, fields: &AuthUpdate) -> Result<(), LinkError> {
        let old = self.auth().cloned();
        if let Some(old) = &old {
            if fields.opaque_server_key != old.opaque_server_key {
                return Err(LinkError::Rule("the server's OPAQUE key stays"));
            }
            if fields.profile < old.profile {
                return Err(LinkError::Rule("a key-stretching profile never goes down"));
            }
            let same = fields.secret_key_generation == old.secret_key_generation;
            if !same && fields.secret_key_generation != old.secret_key_generation.next() {
                return Err(LinkError::Rule("Secret Key generations go up by one"));
            }
            if same != (fields.secret_key_commit == old.secret_key_commit) {
                return Err(LinkError::Rule("a new Secret Key, and only that, has a new generation"));
            }
        } else if fields.secret_key_generation != Generation(1) {
            return Err(LinkError::Rule("Secret Key generations start at 1"));
        }
        let same_record = old.as_ref().is_some_and(|old| old.record_hash == fields.record_hash);
        let same_key = old.as_ref().is_some_and(|old| old.password_key == fields.password_key);
        if same_record != same_key {
            return Err(LinkError::Rule("a new OPAQUE record, and only that, has a new password key"));
        }
        if !same_key {
            self.use_signing_key(&fields.password_key)?;
        }
        self.name_slots(fields)
    }

    /// Slots that were named before keep the place where they were first named.
    pub(super) fn name_slots(&mut self, fields: &AuthUpdate) -> Result<(), LinkError> {
        let before = self.head();
        let old = self.auth.take();
        let same = old.as_ref().filter(|old| old.fields.password_key == fields.password_key);
        let since = same.map_or(before.seq.next(), |old| old.since);
        let known = old.map(|auth| auth.slots).unwrap_or_default();
        let named = fields.slots();
        let slots: BTreeMap<Hash, LogHead> =
            named.iter().map(|slot| (*slot, known.get(slot).copied().unwrap_or(before))).collect();
        if slots.len() != named.len() {
            return Err(LinkError::Rule("every slot is a different one"));
        }
        self.auth = Some(Auth { fields: fields.clone(), slots, since });
        Ok(())
    }
}
