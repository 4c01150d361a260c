//! One value of every request and response type.

use std::fmt::Debug;

use ciborium::Value as Cbor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::api::account::*;
use crate::api::heal::*;
use crate::api::info::*;
use crate::api::items::*;
use crate::api::pairing::*;
use crate::api::recovery::*;
use crate::api::session::*;
use crate::api::sides::*;
use crate::api::signin::*;
use crate::api::signup::*;
use crate::api::vaults::*;
use crate::api::*;
use crate::bytes::Bytes;
use crate::ids::*;
use crate::log::LogHead;
use crate::sign::Signature;
use crate::signin::KsfProfile;

/// A value as a tree of its members (their text forms among them), as the CBOR that it is on the wire, and how that is
/// read back: as such a tree again, or not at all.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) tree: Json,
    pub(super) cbor: Cbor,
    pub(super) read: fn(&Cbor) -> Option<Json>,
}

pub(super) fn to_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Checks that the value survives the wire, and keeps it for breaking.
fn sample<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &'static str, value: &T) -> Sample {
    let cbor = to_cbor(value);
    assert_eq!(&ciborium::from_reader::<T, _>(&cbor[..]).unwrap(), value);
    Sample {
        name,
        tree: serde_json::to_value(value).unwrap(),
        cbor: ciborium::from_reader(&cbor[..]).unwrap(),
        read: |cbor| {
            let read = ciborium::from_reader::<T, _>(&to_cbor(cbor)[..]).ok();
            read.map(|value| serde_json::to_value(value).unwrap())
        },
    }
}

const HEAD: LogHead = LogHead { seq: Seq(u64::MAX), hash: Hash([0xfb; 32]) };
const ROOM: Room = Room { bytes: 1 << 40, commit_blob_bytes: 1 << 21, commit_changes: 1_024 };
const ACCOUNT: AccountId = AccountId([0xfe; 32]);
const DEVICE: DeviceId = DeviceId([0xfd; 16]);

fn item() -> ItemId {
    ItemId::from_random([0xfc; 16])
}

/// Bytes whose base64url has both letters that the standard alphabet lacks; of no length that an id has.
fn bytes() -> Bytes {
    Bytes(vec![0xfb, 0xff, 0xbf, 0x00, 0x01])
}

fn account_samples() -> Vec<Sample> {
    let links = vec![bytes(), Bytes(Vec::new())];
    let slot = Slot { hash: Hash([1; 32]), bytes: bytes() };
    vec![
        sample("LogQuery", &LogQuery { after: Some(Seq(3)) }),
        sample("LogPage", &LogPage { links: links.clone(), head: HEAD, more: true }),
        sample("AppendLinks", &AppendLinks { links, slots: vec![bytes()], record: Some(bytes()) }),
        sample("Appended", &Appended { head: HEAD }),
        sample("AccountRoom", &AccountRoom { used_bytes: 1, limit_bytes: 2 << 30 }),
        sample("RegistrationStart", &RegistrationStart { request: bytes() }),
        sample("SlotsQuery", &SlotsQuery { generation: Some(Generation(3)) }),
        sample("Slots", &Slots { slots: vec![slot], oldest: Some(Generation(2)), head: HEAD }),
        sample(
            "BarDevices",
            &BarDevices { devices: vec![DEVICE], head: Some(HEAD), signature: Some(Signature([6; 64])) },
        ),
        sample("Barred", &Barred { until_ms: u64::MAX }),
    ]
}

fn sign_in_samples() -> Vec<Sample> {
    let invite = Some("invitation ä".to_owned());
    let finish = SignupFinish {
        genesis: bytes(),
        auth_update: bytes(),
        slots: vec![bytes()],
        record: bytes(),
        invite: invite.clone(),
    };
    let profile = KsfProfile::Profile1;
    let request = SessionRequest {
        account_id: ACCOUNT,
        device_id: DEVICE,
        nonce: bytes(),
        signature: Signature([9; 64]),
    };
    let enrolment = EnrolmentSession { enrolment_token: "token".to_owned(), expires_ms: 1_700_000_000_000 };
    vec![
        sample("SignupStart", &SignupStart { account_id: ACCOUNT, request: bytes(), invite }),
        sample("RegistrationAnswer", &RegistrationAnswer { response: bytes(), server_public_key: bytes() }),
        sample("SignupFinish", &finish),
        sample("SignupDone", &SignupDone { account_id: ACCOUNT, head: HEAD }),
        sample("SigninStart", &SigninStart { account_id: ACCOUNT, ke1: bytes() }),
        sample("SigninAnswer", &SigninAnswer { signin_id: bytes(), profile, ke2: bytes() }),
        sample("SigninFinish", &SigninFinish { signin_id: bytes(), ke3: bytes() }),
        sample("EnrolmentSession", &enrolment),
        sample("ChallengeRequest", &ChallengeRequest { account_id: ACCOUNT, device_id: DEVICE }),
        sample("Challenge", &Challenge { nonce: bytes() }),
        sample("SessionRequest", &request),
        sample("Session", &Session { token: "token".to_owned(), expires_ms: u64::MAX }),
    ]
}

fn vault_samples() -> Vec<Sample> {
    let commits = vec![StoredCommit { commit: bytes(), body: bytes() }];
    let authors = vec![AuthorPosition { account_id: ACCOUNT, head: HEAD }];
    let (item_id, version) = (item(), Version(7));
    let stored = StoredItem { item_id, version, blob_hash: Hash([2; 32]), seq: Seq(5), blob: bytes() };
    let wanted = ItemVersion { item_id, version };
    let query = ItemsQuery { after_seq: Some(Seq(1)), after_item: Some(item_id), upto: Some(Seq(9)) };
    let blobs = vec![StoredBlob { item_id, version, blob: bytes() }];
    let control = ControlPage {
        head: HEAD,
        room: ROOM,
        last: commits[0].clone(),
        control: commits.clone(),
        authors: authors.clone(),
        more: true,
    };
    let kept =
        KeptVersion { version, seq: Seq(5), bytes: 600, stored_ms: 1_700_000_000_000, replaced_ms: Some(1) };
    vec![
        sample("CreateVault", &CreateVault { commit: bytes(), body: bytes() }),
        sample("PostCommit", &PostCommit { commit: bytes(), body: bytes(), blobs: vec![bytes()] }),
        sample("Committed", &Committed { vault_id: VaultId([3; 32]), head: HEAD, room: ROOM }),
        sample("CommitsQuery", &CommitsQuery { after: Some(Seq(0)), limit: Some(u32::MAX) }),
        sample("CommitPage", &CommitPage { head: HEAD, room: ROOM, commits, authors, more: false }),
        sample("ControlQuery", &ControlQuery { after: Some(Seq(7)) }),
        sample("ControlPage", &control),
        sample("ItemsQuery", &query),
        sample("ItemPage", &ItemPage { head: HEAD, room: ROOM, items: vec![stored], more: true }),
        sample("BlobsRequest", &BlobsRequest { want: vec![wanted] }),
        sample("BlobsPage", &BlobsPage { blobs, missing: vec![wanted], more: false }),
        sample("VersionsQuery", &VersionsQuery { before: Some(version), limit: Some(1) }),
        sample("VersionPage", &VersionPage { versions: vec![kept], more: true }),
    ]
}

fn recovery_and_pairing_samples() -> Vec<Sample> {
    let proof = RecoveryProof { account_id: ACCOUNT, nonce: bytes(), signature: Signature([9; 64]) };
    let session = RecoverySession { recovery_token: "token".to_owned(), expires_ms: u64::MAX };
    let step = PairingStep::Reveal;
    vec![
        sample("RecoveryStart", &RecoveryStart { account_id: ACCOUNT }),
        sample("RecoveryProof", &proof),
        sample("RecoverySession", &session),
        sample("OpenPairing", &OpenPairing { rendezvous: bytes(), invitation: bytes() }),
        sample("PairingOpened", &PairingOpened { expires_ms: u64::MAX }),
        sample("SendPairing", &SendPairing { rendezvous: bytes(), step, message: bytes() }),
        sample("ReceivePairing", &ReceivePairing { rendezvous: bytes(), step }),
        sample("PairingReceived", &PairingReceived { message: Some(bytes()) }),
    ]
}

fn heal_samples() -> Vec<Sample> {
    let heal = HealAccount { links: vec![bytes()], slots: vec![bytes()], record: Some(bytes()) };
    let wanted = WantedBlob { item_id: item(), version: Version(7), blob_hash: Hash([2; 32]) };
    let progress = HealProgress { head: Some(HEAD), staged: Some(HEAD), wanted: vec![wanted] };
    let commits = vec![StoredCommit { commit: bytes(), body: bytes() }];
    let authors = vec![AuthorPosition { account_id: ACCOUNT, head: HEAD }];
    let sides = SidesPage { head: HEAD, commits: commits.clone(), authors, more: true };
    let query = SidesQuery { after_seq: Some(Seq(1)), after_hash: Some(Hash([2; 32])) };
    vec![
        sample("StageSides", &StageSides { commits: commits.clone() }),
        sample("SidesQuery", &query),
        sample("SidesPage", &sides),
        sample("HealAccount", &heal),
        sample("HealCommits", &HealCommits { commits }),
        sample("HealBlobs", &HealBlobs { blobs: vec![bytes()] }),
        sample("HealProgress", &progress),
        sample("FinishHeal", &FinishHeal { head: HEAD }),
    ]
}

fn overtaken() -> Overtaken {
    let commits = vec![StoredCommit { commit: bytes(), body: bytes() }];
    let authors = vec![AuthorPosition { account_id: ACCOUNT, head: HEAD }];
    let blobs = vec![StoredBlob { item_id: item(), version: Version(7), blob: bytes() }];
    Overtaken { page: CommitPage { head: HEAD, room: ROOM, commits, authors, more: false }, blobs }
}

/// Every type, with every optional member there.
pub(super) fn samples() -> Vec<Sample> {
    let info = Info {
        protocol: PROTOCOL_VERSION,
        server_version: "1.2.3".to_owned(),
        server_id: ServerId([5; 16]),
        signup: SignupPolicy::FirstAccount,
        ksf_profile: KsfProfile::Profile1,
        limits: Limits::CURRENT,
    };
    let problem = Problem::new(ErrorCode::ItemChanged, "sync first, then try again")
        .with_head(HEAD)
        .with_room(ROOM)
        .with_item(item())
        .with_retry_after(30)
        .with_overtaken(overtaken());
    let mut all = vec![sample("Info", &info), sample("Problem", &problem)];
    all.extend(account_samples());
    all.extend(sign_in_samples());
    all.extend(vault_samples());
    all.extend(recovery_and_pairing_samples());
    all.extend(heal_samples());
    all
}
