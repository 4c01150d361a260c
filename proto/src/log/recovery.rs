//! The rules of the Recovery Key: what it may sign, and what takes its place.
//!
//! The sheet in the drawer is what an owner has left when a device is in somebody else's hands. It changes by its own
//! signature, or, when it is lost, by two links with the password's: the second a week after the first at the earliest,
//! so that every device shows it meanwhile. A log has no time of its own that could be believed: the server holds the
//! week by its clock, and each device tells how long it knew of the announcement by its own.

use super::account::{AccountState, Announced};
use super::account_bodies::{AuthUpdate, Enrolment};
use super::error::LinkError;
use super::keys::RecoveryPublicKeys;
use super::link::{AccountLink, Signer};
use super::rekey_bodies::{Recover, RecoveryChange};
use crate::ids::Seq;

impl AccountState {
    /// The Recovery Key takes the account back: on a device that joins, or on one of the account whose password is
    /// forgotten.
    pub(super) fn recover(&mut self, recover: &Recover, link: &AccountLink) -> Result<(), LinkError> {
        if let Some(device) = &recover.device {
            if device.how != Enrolment::Recovery {
                return Err(LinkError::Rule("a recovered device says so"));
            }
            self.add_device(&device.keys, Some(Enrolment::Recovery), link.seq)?;
        }
        // Whoever used it had it in their hands.
        self.take_recovery_keys(&recover.recovery)?;
        self.rekey(&recover.rekey, link, Some(recover.device.as_ref()))
    }

    /// A later announcement takes the place of an earlier one, and the week begins anew.
    pub(super) fn announce_recovery(
        &mut self,
        recovery: &RecoveryPublicKeys,
        seq: Seq,
    ) -> Result<(), LinkError> {
        self.use_recovery_keys(recovery)?;
        self.announced = Some(Announced { seq, recovery: recovery.clone() });
        Ok(())
    }

    /// The present Recovery Key names any other; a device names the one that is announced.
    pub(super) fn change_recovery(
        &mut self,
        change: &RecoveryChange,
        signer: Signer,
    ) -> Result<(), LinkError> {
        if signer == Signer::Recovery {
            self.take_recovery_keys(&change.recovery)?;
        } else {
            let announced = self.announced.take().map(|announced| announced.recovery);
            if announced.as_ref() != Some(&change.recovery) && !crate::seeded!("recovery-unannounced") {
                return Err(LinkError::Rule(
                    "a device changes the Recovery Key to the one that is announced",
                ));
            }
            self.recovery = change.recovery.clone();
            self.recovery_since = self.head().seq.next();
            self.forget_former();
        }
        if self.slot_hashes().contains(&change.slot) {
            return Err(LinkError::Rule("a new Recovery Key has a new slot"));
        }
        let old = self.auth().ok_or(LinkError::Rule("the second link is an auth_update"))?;
        let fields = AuthUpdate { recovery_slot: change.slot, ..old.clone() };
        self.name_slots(&fields)
    }

    /// Keys that were never in the log take the place of the present ones. What was announced is cancelled.
    fn take_recovery_keys(&mut self, recovery: &RecoveryPublicKeys) -> Result<(), LinkError> {
        self.use_recovery_keys(recovery)?;
        self.announced = None;
        self.recovery = recovery.clone();
        self.recovery_since = self.head().seq.next();
        self.forget_former();
        Ok(())
    }

    fn use_recovery_keys(&mut self, recovery: &RecoveryPublicKeys) -> Result<(), LinkError> {
        self.use_signing_key(&recovery.signing)?;
        self.use_kem_key(&recovery.kem)
    }
}
