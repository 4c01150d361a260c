//! What happened to accounts, for the operator's log and for programs that read it (`deploy/fail2ban`).
//!
//! One line at level info each, of a form that stays: a fixed message and the fields `event`, `client.address` (for IPv6 the
//! /64), and where they are known `account.id` and `device.id`. What a crowd makes fail beyond some lines a minute is counted in
//! one line of its own, `failures-unlogged`, which has a number and no address. All of them are the server's own words or ids, which are
//! written in base64url: nothing that a client sends gets into a line as it came.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId};
use lockstep_proto::log::{AccountLink, LinkBody};
use lockstep_proto::sign::Signed;
use tracing::field::display;

use crate::limits::Told;
use crate::peer::AddressKey;

/// Writes the events and, from the same lines, what a line says of each.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $message:literal, $often:ident;)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Event {
            $($(#[$doc])* $name,)+
        }

        impl Event {
            fn often(self) -> Often {
                match self { $(Self::$name => Often::$often),+ }
            }

            fn write(self, Whose { address, account_id, device_id }: Whose, unlogged: Option<u64>) {
                let account_id = account_id.map(display);
                let device_id = device_id.map(display);
                // A message is part of where it is written, so each has a line of code of its own.
                match self {
                    $(Self::$name => tracing::info!(
                        event = %self,
                        client.address = %address,
                        account.id = account_id,
                        device.id = device_id,
                        unlogged,
                        $message
                    ),)+
                }
            }
        }

        impl fmt::Display for Event {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text),+ })
            }
        }
    };
}

events! {
    /// Password, Secret Key or account are wrong.
    SigninFailed = "signin-failed", "a sign-in failed", Failure;
    /// The Recovery Key or the account is wrong.
    RecoveryFailed = "recovery-failed", "a recovery failed", Failure;
    /// A device that is not the account's, or a wrong signature.
    DeviceUnknown = "device-unknown", "a device was not recognised", OnceAMinute;
    /// A device that was removed.
    DeviceRefused = "device-refused", "a removed device was refused", OnceAMinute;
    /// A session's token that is not of this server, or of no session that is open.
    TokenRefused = "token-refused", "a session token was refused", OnceAMinute;
    /// A new account.
    AccountCreated = "account-created", "an account was made", Always;
    /// An account that the database lacked.
    AccountGivenBack = "account-given-back", "an account was given back", Always;
    /// A device more.
    DeviceAdded = "device-added", "a device was added", Always;
    /// A device less.
    DeviceRemoved = "device-removed", "a device was removed", Always;
    /// The Recovery Key changed all keys.
    AccountRecovered = "account-recovered", "an account was recovered", Always;
    /// A new Recovery Key that waits.
    RecoveryAnnounced = "recovery-key-announced", "a Recovery Key was announced", Always;
    /// Another Recovery Key.
    RecoveryChanged = "recovery-key-changed", "a Recovery Key was changed", Always;
}

/// How often there is a line of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Often {
    /// Each time: only what succeeds, which somebody had to be let in for.
    Always,
    /// Each time, but so many in a minute of all failures of all addresses: [`FAILURES`].
    Failure,
    /// For each address at most once a minute: what costs whoever causes it nothing.
    OnceAMinute,
}

/// From where it came and whom it concerns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose {
    address: AddressKey,
    account_id: Option<AccountId>,
    device_id: Option<DeviceId>,
}

impl Whose {
    /// Nobody known yet, from this address.
    pub(crate) fn at(address: AddressKey) -> Self {
        Self { address, account_id: None, device_id: None }
    }

    /// This account's.
    pub(crate) fn account(self, account_id: AccountId) -> Self {
        Self { account_id: Some(account_id), ..self }
    }

    /// This device's.
    pub(crate) fn device(self, device_id: DeviceId) -> Self {
        Self { device_id: Some(device_id), ..self }
    }
}

/// How many lines of failures there are in a minute, whatever their addresses: each address has a budget of tries, but a crowd
/// has many addresses, and a disk is not endless.
const FAILURES: u32 = 600;
/// That minute, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// Writes lines of events.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    told: Mutex<Told<Event>>,
    failures: Mutex<Failures>,
}

/// The lines of failures of this minute.
#[derive(Debug, Default)]
struct Failures {
    begun_ms: u64,
    lines: u32,
    unlogged: u64,
}

/// What is to be written of a failure.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    /// A line of it.
    line: bool,
    /// How many had none in the minute that has ended; 0 for no line of that.
    unlogged: u64,
}

impl Failures {
    fn due(&mut self, now_ms: u64) -> Due {
        let mut unlogged = 0;
        if self.begun_ms.abs_diff(now_ms) >= MINUTE_MS {
            unlogged = self.unlogged;
            *self = Self { begun_ms: now_ms, lines: 0, unlogged: 0 };
        }
        let line = self.lines < FAILURES;
        if line {
            self.lines += 1;
        } else {
            self.unlogged = self.unlogged.saturating_add(1);
        }
        Due { line, unlogged }
    }
}

impl EventLog {
    /// Writes a line, unless it is an event that has one a minute and has had it, or one of too many failures; the next one
    /// says how many had none.
    pub(crate) fn note(&self, event: Event, whose: Whose, now_ms: u64) {
        match event.often() {
            Often::Always => event.write(whose, None),
            Often::Failure => {
                let due = self.failures.lock().unwrap_or_else(PoisonError::into_inner).due(now_ms);
                if due.unlogged > 0 {
                    let unlogged = due.unlogged;
                    tracing::info!(
                        event = "failures-unlogged",
                        unlogged,
                        "failed tries were counted, not logged"
                    );
                }
                if due.line {
                    event.write(whose, None);
                }
            }
            Often::OnceAMinute => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                let line = told.line((event, whose.address), now_ms);
                drop(told);
                if let Some(unlogged) = line {
                    event.write(whose, Some(unlogged));
                }
            }
        }
    }
}

/// What these links say of devices, in their order: links that were accepted.
pub(crate) fn of_links(links: &[Bytes]) -> Vec<(Event, Option<DeviceId>)> {
    let links = links.iter().filter_map(|wire| Signed::<AccountLink>::from_wire(wire).ok());
    links.flat_map(|link| of_link(link.value())).collect()
}

fn of_link(link: &AccountLink) -> Vec<(Event, Option<DeviceId>)> {
    let removed = |devices: &[DeviceId]| -> Vec<_> {
        devices.iter().map(|device_id| (Event::DeviceRemoved, Some(*device_id))).collect()
    };
    match &link.body {
        LinkBody::DeviceAdd(added) => vec![(Event::DeviceAdded, Some(added.keys.device_id()))],
        LinkBody::Rekey(rekey) => removed(&rekey.revoked),
        LinkBody::RecoveryAnnounce(_) => vec![(Event::RecoveryAnnounced, None)],
        LinkBody::RecoveryChange(_) => vec![(Event::RecoveryChanged, None)],
        LinkBody::Recover(recover) => {
            let added = recover.device.iter().map(|add| (Event::DeviceAdded, Some(add.keys.device_id())));
            let recovered = std::iter::once((Event::AccountRecovered, None)).chain(added);
            recovered.chain(removed(&recover.rekey.revoked)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a50_a_crowd_that_fails_fills_no_disk_and_is_counted() {
        let mut failures = Failures::default();
        let start_ms = 1_800_000_000_000;
        let mut count = |now_ms| {
            let due: Vec<_> = (0..10_000).map(|_| failures.due(now_ms)).collect();
            let (first, rest) =
                due.split_first().map_or((0, &[][..]), |(first, rest)| (first.unlogged, rest));
            assert!(rest.iter().all(|due| due.unlogged == 0), "there is one line of it");
            (first, due.iter().filter(|due| due.line).count())
        };
        assert_eq!(count(start_ms), (0, 600));
        assert_eq!(count(start_ms + MINUTE_MS - 1), (0, 0));
        assert_eq!(count(start_ms + MINUTE_MS), (19_400, 600));
        // A clock that was set back keeps nothing quiet.
        assert_eq!(count(start_ms - 10 * MINUTE_MS), (9_400, 600));
    }

    #[test]
    fn few_failures_have_a_line_each() {
        let mut failures = Failures::default();
        for second in 0..600 {
            assert_eq!(failures.due(second * 1_000), Due { line: true, unlogged: 0 });
        }
    }
}
