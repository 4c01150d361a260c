//! Security events: what happened to the account and its server, as this device saw it.
//!
//! Events of the log are read from verified links and written in the same local write that pins these, so the server can
//! neither add one nor keep one away from a device that has the link; what it did itself (an old state, another history)
//! is noted when it is found. They stay until their owner marks them as seen, and beyond.

use lockstep_proto::canon::{self, Canon, CanonError, Decoder, Encoder};
use lockstep_proto::ids::{DeviceId, Generation, Hash, VaultId};
use lockstep_proto::log::{AccountLink, AccountState, DeviceAdd, Enrolment, LinkBody, RekeyReason, Signer};
use lockstep_proto::sign::Signed;

use super::profile::ProfileError;
use super::unlocked::Unlocked;
use crate::ports::{Batch, LocalStore, Table};

/// Records read from the store at once.
const PAGE: usize = 256;
const PREFIX: &[u8] = b"security/";
/// The part of the keys of events that links tell, and of those that this device noted itself.
const OF_LINKS: u8 = b'l';
const NOTED: u8 = b'n';
const FORMAT: u8 = 1;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityEvent {
    /// A device joined.
    DeviceAdded {
        /// The device.
        device_id: DeviceId,
        /// How it came in; `None` for the device that signed up.
        how: Option<Enrolment>,
    },
    /// A device was removed.
    DeviceRemoved {
        /// The device.
        device_id: DeviceId,
        /// Why.
        reason: RekeyReason,
    },
    /// There is a new password, or the same was registered anew.
    PasswordChanged,
    /// There is a new Secret Key: older Emergency Kits sign in no more.
    SecretKeyChanged,
    /// All keys of the account were changed.
    KeysChanged,
    /// All keys had been changed to ones that the Recovery Key did not open: what was sealed with them is lost.
    KeysLost {
        /// The device that had changed them; `None` where a key on paper did.
        device_id: Option<DeviceId>,
    },
    /// The Recovery Key was used, and there is a new one.
    RecoveryKeyUsed,
    /// A new Recovery Key was announced: it can take the place of the present one a week later.
    RecoveryAnnounced,
    /// An announced Recovery Key waits for its week. Noted anew each day.
    RecoveryWaits,
    /// What was announced is void: the password, the keys or the Recovery Key were changed since.
    RecoveryCancelled,
    /// There is a new Recovery Key: older recovery sheets are void.
    RecoveryKeyChanged {
        /// On what grounds.
        grounds: RecoveryGrounds,
    },
    /// The server had lost what it had acknowledged, and this device brought it back.
    ServerCaughtUp {
        /// The vault; zero for the account's own log.
        vault_id: VaultId,
    },
    /// The server lost again, within a day, what it had been given back.
    ServerKeepsLosing {
        /// The vault; zero for the account's own log.
        vault_id: VaultId,
    },
    /// The server shows another history than this device has seen.
    Fork {
        /// The vault; zero for the account's own log.
        vault_id: VaultId,
    },
    /// A vault went on from the server's history: an owner said that the server had been restored from a backup.
    HistoryAccepted {
        /// The vault.
        vault_id: VaultId,
    },
}

/// On what grounds the Recovery Key was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryGrounds {
    /// The one before signed it.
    Present,
    /// It had been announced, and this device had known of that for so long, by its clock, in milliseconds.
    Announced {
        /// A week at least, unless this device learned late of the announcement or the server did not wait.
        known_ms: u64,
    },
    /// It had been announced, and this device learned of both at once: it cannot tell how long others knew.
    Unseen,
}

/// An event as this device keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityRecord {
    /// When this device learned of it, by its clock, in milliseconds since 1970. No link has a time.
    pub at_ms: u64,
    /// The device that did it; `None` where a key on paper, or the server, did.
    pub by: Option<DeviceId>,
    /// What happened.
    pub event: SecurityEvent,
    /// Whether its owner has seen it, or did it on this device.
    pub seen: bool,
}

/// Adds the events of new links to the batch that pins them. `before` is the state without them; `None` where the device
/// has only just come in: what happened before it is noted as seen. `announced_ms` is when this device learned of the Recovery
/// Key that `before` has as announced; `own` is the link that waits here: what its owner does on this device is seen, what
/// somebody does with a copy of its keys is not.
pub(super) fn put_link_events(
    unlocked: &Unlocked,
    (before, announced_ms): (Option<&AccountState>, Option<u64>),
    own: Option<Hash>,
    links: &[Signed<AccountLink>],
    at_ms: u64,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let auth = before.and_then(AccountState::auth);
    let mut known = Known {
        auth: auth.map(|auth| (auth.record_hash, auth.secret_key_generation)),
        announced: before.and_then(AccountState::announced_recovery).map(|_| announced_ms),
        at_ms,
    };
    for link in links {
        let hash = link.hash();
        let link = link.value();
        let by = match link.signer {
            Signer::Device(device_id) => Some(device_id),
            _ => None,
        };
        let seen = before.is_none() || own == Some(hash);
        for (index, event) in events_of(link, &mut known).into_iter().enumerate() {
            let index = u8::try_from(index).unwrap_or(u8::MAX);
            let key = [PREFIX, &[OF_LINKS], &link.seq.0.to_be_bytes(), &[index]].concat();
            put(unlocked, key, &SecurityRecord { at_ms, by, event, seen }, batch)?;
        }
    }
    Ok(())
}

/// Adds an event that no link tells. The same event is noted once a day at most.
pub(crate) fn note_event(
    unlocked: &Unlocked,
    event: SecurityEvent,
    at_ms: u64,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    put(unlocked, noted_key(&event, at_ms), &SecurityRecord { at_ms, by: None, event, seen: false }, batch)
}

/// Notes an event that goes on, once a day: its owner may have seen it today.
pub(crate) async fn note_daily(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
    event: SecurityEvent,
    at_ms: u64,
) -> Result<(), ProfileError> {
    if store.read(Table::Profile, &noted_key(&event, at_ms)).await?.is_some() {
        return Ok(());
    }
    let mut batch = Batch::new();
    note_event(unlocked, event, at_ms, &mut batch)?;
    Ok(store.write(batch).await?)
}

fn noted_key(event: &SecurityEvent, at_ms: u64) -> Vec<u8> {
    let day = at_ms / DAY_MS;
    [PREFIX, &[NOTED], &day.to_be_bytes(), &canon::to_bytes(event)].concat()
}

/// When this device learned of the Recovery Key that is announced.
pub(crate) async fn announced_ms(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Option<u64>, ProfileError> {
    let Some(announced) = unlocked.state().announced_recovery() else { return Ok(None) };
    let key = [PREFIX, &[OF_LINKS], &announced.seq.0.to_be_bytes(), &[0]].concat();
    let Some(sealed) = store.read(Table::Profile, &key).await? else { return Ok(None) };
    let damaged = || ProfileError::Damaged("a security event");
    let opened = unlocked.sealer().open(Table::Profile, &key, &sealed).map_err(|_| damaged())?;
    let record: SecurityRecord = canon::from_bytes(&opened).map_err(|_| damaged())?;
    Ok(Some(record.at_ms))
}

/// All events that this device knows of, oldest first.
///
/// # Errors
/// [`ProfileError`].
pub async fn security_events(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Vec<SecurityRecord>, ProfileError> {
    let mut records: Vec<_> = read(store, unlocked).await?.into_iter().map(|(_, record)| record).collect();
    records.sort_by_key(|record| record.at_ms);
    Ok(records)
}

/// Marks every event as seen. To be called after its owner has read them.
///
/// # Errors
/// [`ProfileError`].
pub async fn mark_events_seen(store: &dyn LocalStore, unlocked: &Unlocked) -> Result<(), ProfileError> {
    let mut batch = Batch::new();
    for (key, record) in read(store, unlocked).await?.into_iter().filter(|(_, record)| !record.seen) {
        put(unlocked, key, &SecurityRecord { seen: true, ..record }, &mut batch)?;
    }
    if batch.is_empty() { Ok(()) } else { Ok(store.write(batch).await?) }
}

/// What was known before a link.
struct Known {
    /// The record that signs in, and the Secret Key's generation.
    auth: Option<(Hash, Generation)>,
    /// A Recovery Key is announced, and when this device learned of it, if it did so in time.
    announced: Option<Option<u64>>,
    at_ms: u64,
}

impl Known {
    /// The event that an announcement is void, where one waits.
    fn cancelled(&mut self) -> Option<SecurityEvent> {
        self.announced.take().map(|_| SecurityEvent::RecoveryCancelled)
    }
}

fn events_of(link: &AccountLink, known: &mut Known) -> Vec<SecurityEvent> {
    let added =
        |add: &DeviceAdd| SecurityEvent::DeviceAdded { device_id: add.keys.device_id(), how: Some(add.how) };
    let mut events = Vec::new();
    match &link.body {
        LinkBody::Genesis(genesis) => {
            events.push(SecurityEvent::DeviceAdded { device_id: genesis.device.device_id(), how: None });
        }
        LinkBody::AuthUpdate(update) => {
            events.extend(known.cancelled());
            let before = known.auth.replace((update.record_hash, update.secret_key_generation));
            if before.is_some_and(|(record, _)| record != update.record_hash) {
                events.push(SecurityEvent::PasswordChanged);
            }
        }
        LinkBody::DeviceAdd(add) => events.push(added(add)),
        LinkBody::Rekey(rekey) => {
            events.extend(known.cancelled());
            rekeyed(rekey, &mut known.auth, &mut events);
        }
        LinkBody::Recover(recover) => {
            events.extend(known.cancelled());
            events.push(SecurityEvent::RecoveryKeyUsed);
            events.extend(recover.device.as_ref().map(added));
            rekeyed(&recover.rekey, &mut known.auth, &mut events);
        }
        LinkBody::RecoveryAnnounce(_) => {
            // Both may come at once: then there is no telling how long the others knew.
            known.announced = Some(None);
            events.push(SecurityEvent::RecoveryAnnounced);
        }
        LinkBody::RecoveryChange(_) if link.signer == Signer::Recovery => {
            events.extend(known.cancelled());
            events.push(SecurityEvent::RecoveryKeyChanged { grounds: RecoveryGrounds::Present });
        }
        LinkBody::RecoveryChange(_) => {
            let grounds = known.announced.take().flatten().map_or(RecoveryGrounds::Unseen, |since_ms| {
                RecoveryGrounds::Announced { known_ms: known.at_ms.saturating_sub(since_ms) }
            });
            events.push(SecurityEvent::RecoveryKeyChanged { grounds });
        }
        _ => {}
    }
    events
}

fn rekeyed(
    rekey: &lockstep_proto::log::Rekey,
    auth: &mut Option<(Hash, Generation)>,
    events: &mut Vec<SecurityEvent>,
) {
    let removed = rekey.revoked.iter();
    events.extend(removed.map(|id| SecurityEvent::DeviceRemoved { device_id: *id, reason: rekey.reason }));
    events.push(SecurityEvent::KeysChanged);
    let now = (rekey.auth.record_hash, rekey.auth.secret_key_generation);
    if auth.replace(now).is_some_and(|(_, generation)| generation != now.1) {
        events.push(SecurityEvent::SecretKeyChanged);
    }
}

fn put(
    unlocked: &Unlocked,
    key: Vec<u8>,
    record: &SecurityRecord,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, &key, &canon::to_bytes(record));
    batch.put(Table::Profile, key, sealed.map_err(|_| ProfileError::Damaged("a security event"))?);
    Ok(())
}

async fn read(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Vec<(Vec<u8>, SecurityRecord)>, ProfileError> {
    let damaged = || ProfileError::Damaged("a security event");
    let mut records = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.scan(Table::Profile, PREFIX, after.as_deref(), PAGE).await?;
        let last = page.len() < PAGE;
        for (key, sealed) in page {
            let opened = unlocked.sealer().open(Table::Profile, &key, &sealed).map_err(|_| damaged())?;
            records.push((key.clone(), canon::from_bytes(&opened).map_err(|_| damaged())?));
            after = Some(key);
        }
        if last {
            return Ok(records);
        }
    }
}

impl Canon for SecurityEvent {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::DeviceAdded { device_id, how } => {
                out.u8(1);
                device_id.encode(out);
                out.bool(how.is_some());
                if let Some(how) = how {
                    how.encode(out);
                }
            }
            Self::DeviceRemoved { device_id, reason } => {
                out.u8(2);
                device_id.encode(out);
                reason.encode(out);
            }
            Self::PasswordChanged => out.u8(3),
            Self::SecretKeyChanged => out.u8(4),
            Self::KeysChanged => out.u8(5),
            Self::RecoveryKeyUsed => out.u8(6),
            Self::ServerCaughtUp { vault_id } => {
                out.u8(7);
                vault_id.encode(out);
            }
            Self::Fork { vault_id } => {
                out.u8(8);
                vault_id.encode(out);
            }
            Self::ServerKeepsLosing { vault_id } => {
                out.u8(9);
                vault_id.encode(out);
            }
            Self::HistoryAccepted { vault_id } => {
                out.u8(10);
                vault_id.encode(out);
            }
            Self::RecoveryAnnounced => out.u8(11),
            Self::RecoveryWaits => out.u8(12),
            Self::RecoveryCancelled => out.u8(13),
            Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Present } => out.u8(14),
            Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Announced { known_ms } } => {
                out.u8(15);
                out.u64(*known_ms);
            }
            Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Unseen } => out.u8(16),
            Self::KeysLost { device_id } => {
                out.u8(17);
                device_id.unwrap_or(DeviceId::ZERO).encode(out);
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        Ok(match input.u8()? {
            1 => {
                let device_id = Canon::decode(input)?;
                let how = match input.bool()? {
                    true => Some(Canon::decode(input)?),
                    false => None,
                };
                Self::DeviceAdded { device_id, how }
            }
            2 => Self::DeviceRemoved { device_id: Canon::decode(input)?, reason: Canon::decode(input)? },
            3 => Self::PasswordChanged,
            4 => Self::SecretKeyChanged,
            5 => Self::KeysChanged,
            6 => Self::RecoveryKeyUsed,
            7 => Self::ServerCaughtUp { vault_id: Canon::decode(input)? },
            8 => Self::Fork { vault_id: Canon::decode(input)? },
            9 => Self::ServerKeepsLosing { vault_id: Canon::decode(input)? },
            10 => Self::HistoryAccepted { vault_id: Canon::decode(input)? },
            11 => Self::RecoveryAnnounced,
            12 => Self::RecoveryWaits,
            13 => Self::RecoveryCancelled,
            14 => Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Present },
            15 => {
                let known_ms = input.u64()?;
                Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Announced { known_ms } }
            }
            16 => Self::RecoveryKeyChanged { grounds: RecoveryGrounds::Unseen },
            17 => {
                let by: DeviceId = Canon::decode(input)?;
                Self::KeysLost { device_id: (by != DeviceId::ZERO).then_some(by) }
            }
            other => {
                return Err(CanonError::UpdateNeeded { field: "security event", value: u32::from(other) });
            }
        })
    }
}

impl Canon for SecurityRecord {
    fn encode(&self, out: &mut Encoder) {
        out.u8(FORMAT);
        out.u64(self.at_ms);
        self.by.unwrap_or(DeviceId::ZERO).encode(out);
        out.bool(self.seen);
        self.event.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, CanonError> {
        let format = input.u8()?;
        if format != FORMAT {
            return Err(CanonError::UpdateNeeded { field: "security record", value: u32::from(format) });
        }
        let at_ms = input.u64()?;
        let by: DeviceId = Canon::decode(input)?;
        let seen = input.bool()?;
        let event = Canon::decode(input)?;
        Ok(Self { at_ms, by: (by != DeviceId::ZERO).then_some(by), event, seen })
    }
}
