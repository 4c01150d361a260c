//! What a device tells of the account's log and its server.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_proto::canon;
use lockstep_proto::ids::{DeviceId, Generation, Hash, VaultId};
use lockstep_proto::log::{
    AccountLink, AuthUpdate, DeviceAdd, Enrolment, LinkBody, LogHead, RecoveryChange, RecoveryPublicKeys,
    Rekey, RekeyReason, Signer,
};
use lockstep_proto::sign::Signed;
use proptest::prelude::*;

use super::super::events::put_link_events;
use super::super::*;
use super::device::{Device, account};
use crate::ports::{Batch, LocalStore as _, Table};
use crate::testing::{TestRandom, block_on};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const NOW_MS: u64 = 20_000 * DAY_MS + 7;

/// A log as somebody has made it; that its links are valid the verifier has said before.
struct Log {
    device: Device,
    unlocked: Unlocked,
    recovery: RecoveryPublicKeys,
    at: LogHead,
}

impl Log {
    fn new() -> Self {
        let (_, device, signed_up) = account();
        let recovery = RecoveryKey::make(&TestRandom::new(5)).derive_public_keys();
        let at = signed_up.unlocked.state().head();
        let log = Self { device, unlocked: signed_up.unlocked, recovery, at };
        block_on(mark_events_seen(&*log.device.ports.store, &log.unlocked)).unwrap();
        log
    }

    fn link(&mut self, signer: Signer, body: LinkBody) -> Signed<AccountLink> {
        let link = AccountLink::after(self.unlocked.account_id(), &self.at, signer, 0, Vec::new(), body);
        let link = self.unlocked.sign_link(link);
        self.at = LogHead { seq: link.value().seq, hash: link.hash() };
        link
    }

    fn own(&mut self, body: LinkBody) -> Signed<AccountLink> {
        self.link(Signer::Device(self.unlocked.device_id()), body)
    }

    fn auth(&self, record: u8) -> AuthUpdate {
        AuthUpdate { record_hash: Hash([record; 32]), ..self.unlocked.state().auth().unwrap().clone() }
    }

    fn rekey(&self, revoked: Vec<DeviceId>, secret_key: u32) -> Rekey {
        let state = self.unlocked.state();
        let old = state.auth().unwrap().clone();
        Rekey {
            reason: RekeyReason::Retired,
            revoked,
            generation: Generation(2),
            ark_commit: Hash([1; 32]),
            enrolment_key: state.enrolment_key(),
            device_slots: Vec::new(),
            auth: AuthUpdate { secret_key_generation: Generation(secret_key), ..old },
            uek_generation: Generation(1),
            uek: state.uek().1.clone(),
            vault_slots: Vec::new(),
            prev_ark: vec![1; 64],
        }
    }

    fn announce(&self) -> LinkBody {
        LinkBody::RecoveryAnnounce(Box::new(self.recovery.clone()))
    }

    fn change(&self) -> LinkBody {
        let body = RecoveryChange { recovery: self.recovery.clone(), slot: Hash([4; 32]) };
        LinkBody::RecoveryChange(Box::new(body))
    }

    /// Notes what came with one pull, and gives what its owner has not seen.
    fn pull(&self, links: &[Signed<AccountLink>], own: Option<Hash>, at_ms: u64) -> Vec<SecurityEvent> {
        let mut batch = Batch::new();
        let before = (Some(self.unlocked.state()), None);
        put_link_events(&self.unlocked, before, own, links, at_ms, &mut batch).unwrap();
        self.write(batch);
        self.unseen()
    }

    fn write(&self, batch: Batch) {
        block_on(self.device.ports.store.write(batch)).unwrap();
    }

    fn all(&self) -> Vec<SecurityRecord> {
        block_on(security_events(&*self.device.ports.store, &self.unlocked)).unwrap()
    }

    fn unseen(&self) -> Vec<SecurityEvent> {
        self.all().into_iter().filter(|record| !record.seen).map(|record| record.event).collect()
    }

    fn note(&self, event: SecurityEvent, at_ms: u64) {
        block_on(note_daily(&*self.device.ports.store, &self.unlocked, event, at_ms)).unwrap();
    }
}

use SecurityEvent::*;

#[test]
fn a_link_tells_what_changed_and_nothing_that_stayed() {
    let log = Log::new();
    let keep = LinkBody::AuthUpdate(log.unlocked.state().auth().unwrap().clone());
    let gone = DeviceId([6; 16]);
    let removed = DeviceRemoved { device_id: gone, reason: RekeyReason::Retired };
    let tablet = DeviceKeys::make(&TestRandom::new(8)).public().clone();
    let added = DeviceAdded { device_id: tablet.device_id(), how: Some(Enrolment::Kit) };
    let generation = log.unlocked.state().auth().unwrap().secret_key_generation.0;
    let bodies = [
        (keep, vec![]),
        (LinkBody::AuthUpdate(log.auth(0xaa)), vec![PasswordChanged]),
        (LinkBody::DeviceAdd(DeviceAdd { keys: tablet, how: Enrolment::Kit }), vec![added]),
        (LinkBody::SecurityVersion(2), vec![]),
        (LinkBody::Rekey(Box::new(log.rekey(vec![gone], generation))), vec![removed, KeysChanged]),
        (LinkBody::Rekey(Box::new(log.rekey(vec![], generation + 1))), vec![KeysChanged, SecretKeyChanged]),
    ];
    for (body, told) in bodies {
        let mut log = Log::new();
        let link = log.own(body);
        assert_eq!(log.pull(&[link], None, NOW_MS), told);
    }
}

/// The record and the Secret Key's generation are those of the link before, not of the state before the pull.
#[test]
fn several_links_of_one_pull_are_each_compared_with_the_one_before() {
    let mut log = Log::new();
    let links = [1, 1, 2].map(|record| {
        let body = LinkBody::AuthUpdate(log.auth(record));
        log.own(body)
    });
    assert_eq!(log.pull(&links, None, NOW_MS), [PasswordChanged, PasswordChanged]);
}

#[test]
fn an_announcement_ends_in_its_change_or_is_told_to_be_void() {
    let generation = Log::new().unlocked.state().auth().unwrap().secret_key_generation.0;
    let unseen = RecoveryKeyChanged { grounds: RecoveryGrounds::Unseen };
    let present = RecoveryKeyChanged { grounds: RecoveryGrounds::Present };
    type Body = fn(&Log, u32) -> LinkBody;
    let password: Body = |log, _| LinkBody::AuthUpdate(log.auth(0xaa));
    let rekey: Body = |log, generation| LinkBody::Rekey(Box::new(log.rekey(Vec::new(), generation)));
    let change: Body = |log, _| log.change();
    for (by_recovery_key, body, told) in [
        (false, change, vec![RecoveryAnnounced, unseen]),
        (true, change, vec![RecoveryAnnounced, RecoveryCancelled, present]),
        (false, password, vec![RecoveryAnnounced, RecoveryCancelled, PasswordChanged]),
        (false, rekey, vec![RecoveryAnnounced, RecoveryCancelled, KeysChanged]),
    ] {
        let mut log = Log::new();
        let announced = log.announce();
        let announced = log.own(announced);
        let body = body(&log, generation);
        let after = match by_recovery_key {
            true => log.link(Signer::Recovery, body),
            false => log.own(body),
        };
        assert_eq!(log.pull(&[announced, after], None, NOW_MS), told);
    }
    // Nothing was announced: nothing is void.
    let mut log = Log::new();
    let change = log.change();
    let change = log.link(Signer::Recovery, change);
    assert_eq!(log.pull(&[change], None, NOW_MS), [present]);
}

#[test]
fn a_device_says_for_how_long_it_knew_of_an_announcement_by_its_own_clock() {
    for (learned_ms, changed_ms, known_ms) in
        [(NOW_MS, NOW_MS + 7 * DAY_MS, 7 * DAY_MS), (NOW_MS, NOW_MS, 0), (NOW_MS, NOW_MS - DAY_MS, 0)]
    {
        let (_, device, signed_up) = account();
        let mut unlocked = signed_up.unlocked;
        let recovery = RecoveryKey::make(&TestRandom::new(5)).derive_public_keys();
        let password_key = device.password_key(&mut unlocked);
        let head = unlocked.state().head();
        let body = LinkBody::RecoveryAnnounce(Box::new(recovery.clone()));
        let signer = Signer::Device(unlocked.device_id());
        let link = AccountLink::after(unlocked.account_id(), &head, signer, 0, Vec::new(), body);
        let link = unlocked.sign_link(link).countersigned(&password_key.signing());
        let mut batch = Batch::new();
        let before = unlocked.state().clone();
        put_link_events(
            &unlocked,
            (Some(&before), None),
            None,
            std::slice::from_ref(&link),
            learned_ms,
            &mut batch,
        )
        .unwrap();
        block_on(device.ports.store.write(batch)).unwrap();
        unlocked.state = before.apply(&link).unwrap();
        let learned = block_on(announced_ms(&*device.ports.store, &unlocked)).unwrap();
        assert_eq!(learned, Some(learned_ms));
        let mut log = Log { device, recovery, at: unlocked.state().head(), unlocked };
        let change = log.change();
        let change = log.own(change);
        let mut batch = Batch::new();
        let known = (Some(log.unlocked.state()), learned);
        put_link_events(&log.unlocked, known, None, &[change], changed_ms, &mut batch).unwrap();
        log.write(batch);
        let told = RecoveryKeyChanged { grounds: RecoveryGrounds::Announced { known_ms } };
        assert!(log.unseen().contains(&told), "{:?}", log.unseen());
    }
}

/// What its owner does on this device is no news to its owner. Somebody with a copy of its keys is.
#[test]
fn only_the_link_that_waits_here_is_seen_at_once() {
    let mut log = Log::new();
    let own = log.own(LinkBody::AuthUpdate(log.auth(1)));
    let copied = log.own(LinkBody::AuthUpdate(log.auth(2)));
    assert_eq!(log.pull(&[own.clone(), copied], Some(own.hash()), NOW_MS), [PasswordChanged]);
    let by = log.all().iter().filter(|record| record.event == PasswordChanged).map(|record| record.by).next();
    assert_eq!(by, Some(Some(log.unlocked.device_id())));
}

#[test]
fn what_goes_on_is_noted_once_a_day_and_stays_seen_until_the_next() {
    let log = Log::new();
    let (vault_id, other) = (VaultId([1; 32]), VaultId([2; 32]));
    let day = NOW_MS - NOW_MS % DAY_MS;
    for at_ms in [day, day + 1, day + DAY_MS - 1] {
        log.note(Fork { vault_id }, at_ms);
    }
    assert_eq!(log.unseen(), [Fork { vault_id }]);
    block_on(mark_events_seen(&*log.device.ports.store, &log.unlocked)).unwrap();
    log.note(Fork { vault_id }, day + DAY_MS - 1);
    assert_eq!(log.unseen(), []);
    log.note(Fork { vault_id: other }, day + DAY_MS - 1);
    log.note(Fork { vault_id }, day + DAY_MS);
    assert_eq!(log.unseen(), [Fork { vault_id: other }, Fork { vault_id }]);
}

#[test]
fn all_events_are_read_and_marked_however_many_there_are() {
    let log = Log::new();
    let before = log.all().len();
    for number in 0..600_u64 {
        let mut batch = Batch::new();
        note_event(&log.unlocked, KeysChanged, NOW_MS + number * DAY_MS, &mut batch).unwrap();
        log.write(batch);
    }
    assert_eq!(log.all().len(), before + 600);
    let times: Vec<u64> = log.all().iter().map(|record| record.at_ms).collect();
    assert!(times.is_sorted());
    block_on(mark_events_seen(&*log.device.ports.store, &log.unlocked)).unwrap();
    assert_eq!(log.unseen(), []);
}

#[test]
fn a_record_that_was_changed_or_moved_is_damaged_and_one_of_a_newer_program_is_not_guessed_at() {
    let log = Log::new();
    log.note(KeysChanged, NOW_MS);
    let store = &log.device.store;
    let page = block_on(store.scan(Table::Profile, b"security/", None, 100)).unwrap();
    let (key, sealed) = page.last().unwrap();
    let moved = [&key[..], &[0]].concat();
    let mut changed = sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    let newer = log.unlocked.sealer().seal(Table::Profile, key, &[9; 30]).unwrap();
    for (key, value) in [(moved, sealed.clone()), (key.clone(), changed), (key.clone(), newer)] {
        let mut batch = Batch::new();
        batch.put(Table::Profile, key.clone(), value);
        log.write(batch);
        let read = block_on(security_events(&**store, &log.unlocked));
        assert!(matches!(read, Err(ProfileError::Damaged("a security event"))), "{read:?}");
        let mut batch = Batch::new();
        batch.delete(Table::Profile, key);
        log.write(batch);
    }
}

fn event() -> impl Strategy<Value = SecurityEvent> {
    let device = any::<[u8; 16]>().prop_map(DeviceId);
    let vault = any::<[u8; 32]>().prop_map(VaultId);
    let how = prop_oneof![Just(None), Just(Some(Enrolment::Pairing)), Just(Some(Enrolment::Recovery))];
    let reason = prop_oneof![Just(RekeyReason::Lost), Just(RekeyReason::Rotation)];
    let grounds = prop_oneof![
        Just(RecoveryGrounds::Present),
        Just(RecoveryGrounds::Unseen),
        any::<u64>().prop_map(|known_ms| RecoveryGrounds::Announced { known_ms }),
    ];
    prop_oneof![
        (device.clone(), how).prop_map(|(device_id, how)| DeviceAdded { device_id, how }),
        (device.clone(), reason).prop_map(|(device_id, reason)| DeviceRemoved { device_id, reason }),
        prop_oneof![
            Just(PasswordChanged),
            Just(SecretKeyChanged),
            Just(KeysChanged),
            Just(RecoveryKeyUsed),
            Just(RecoveryAnnounced),
            Just(RecoveryWaits),
            Just(RecoveryCancelled),
            Just(KeysLost { device_id: None }),
        ],
        vault.clone().prop_map(|vault_id| ServerCaughtUp { vault_id }),
        vault.clone().prop_map(|vault_id| ServerKeepsLosing { vault_id }),
        vault.prop_map(|vault_id| Fork { vault_id }),
        grounds.prop_map(|grounds| RecoveryKeyChanged { grounds }),
    ]
}

proptest! {
    #[test]
    fn every_event_survives_its_record(
        event in event(), at_ms in any::<u64>(), seen in any::<bool>(), by in any::<bool>()
    ) {
        let by = by.then_some(DeviceId([3; 16]));
        let record = SecurityRecord { at_ms, by, event, seen };
        let bytes = canon::to_bytes(&record);
        prop_assert_eq!(canon::from_bytes::<SecurityRecord>(&bytes), Ok(record));
        prop_assert!(canon::from_bytes::<SecurityRecord>(&bytes[..bytes.len() - 1]).is_err());
    }
}
