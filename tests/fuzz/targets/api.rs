//! Bodies of requests and answers: every type from any bytes.

use lockstep_proto::api::account::{
    AccountRoom, AppendLinks, Appended, BarDevices, Barred, LogPage, LogQuery, RegistrationStart, Slot,
    Slots, SlotsQuery,
};
use lockstep_proto::api::heal::{
    AccountHealed, FinishHeal, HealAccount, HealBlobs, HealCommits, HealDropped, HealProgress, WantedBlob,
};
use lockstep_proto::api::info::Info;
use lockstep_proto::api::items::{
    BlobsPage, BlobsRequest, ItemPage, ItemsQuery, StoredItem, VersionPage, VersionsQuery,
};
use lockstep_proto::api::pairing::{
    OpenPairing, PairingOpened, PairingReceived, PairingSent, PairingStep, ReceivePairing, SendPairing,
};
use lockstep_proto::api::recovery::{RecoveryProof, RecoverySession, RecoveryStart};
use lockstep_proto::api::session::{Challenge, ChallengeRequest, Session, SessionRequest};
use lockstep_proto::api::sides::{SidesPage, SidesQuery, SidesStaged, StageSides};
use lockstep_proto::api::signin::{EnrolmentSession, SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::api::signup::{RegistrationAnswer, SignupDone, SignupFinish, SignupStart};
use lockstep_proto::api::vaults::{
    AuthorPosition, CommitPage, CommitsQuery, Committed, ControlPage, ControlQuery, CreateVault, Overtaken,
    PostCommit, Room, StoredCommit,
};
use lockstep_proto::api::{ErrorCode, Limits, Problem};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, ItemId, Seq, VaultId, Version};
use lockstep_proto::log::LogHead;
use lockstep_proto::sign::Signature;
use lockstep_proto::signin::KsfProfile;
use serde::Serialize;
use serde::de::DeserializeOwned;

macro_rules! every_body {
    ($each:ident) => {
        $each!(
            Info,
            Limits,
            Problem,
            LogQuery,
            SlotsQuery,
            LogPage,
            AppendLinks,
            Appended,
            AccountRoom,
            RegistrationStart,
            Slots,
            BarDevices,
            Barred,
            HealAccount,
            AccountHealed,
            HealCommits,
            HealBlobs,
            HealProgress,
            WantedBlob,
            FinishHeal,
            HealDropped,
            StageSides,
            SidesStaged,
            SidesQuery,
            SidesPage,
            ItemsQuery,
            ItemPage,
            BlobsRequest,
            BlobsPage,
            VersionsQuery,
            VersionPage,
            OpenPairing,
            PairingOpened,
            SendPairing,
            PairingSent,
            ReceivePairing,
            PairingReceived,
            RecoveryStart,
            RecoveryProof,
            RecoverySession,
            ChallengeRequest,
            Challenge,
            SessionRequest,
            Session,
            SigninStart,
            SigninAnswer,
            SigninFinish,
            EnrolmentSession,
            SignupStart,
            RegistrationAnswer,
            SignupFinish,
            SignupDone,
            CreateVault,
            PostCommit,
            Committed,
            CommitsQuery,
            CommitPage,
            Overtaken,
            ControlQuery,
            ControlPage
        )
    };
}

/// Reads the input as every body. What can be read says the same when it is written and read back.
pub(crate) fn run(input: &[u8]) {
    macro_rules! read_each {
        ($($body:ty),+) => { $(read::<$body>(input);)+ };
    }
    every_body!(read_each);
}

fn read<T: Serialize + DeserializeOwned + PartialEq>(input: &[u8]) {
    if let Ok(value) = ciborium::from_reader::<T, _>(input) {
        assert!(from_cbor::<T>(&to_cbor(&value)) == value, "it says the same again");
    }
}

fn to_cbor<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> T {
    ciborium::from_reader(bytes).unwrap()
}

/// A body of most types, in both formats; the others are other names of the same members.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let bytes = Bytes(vec![0xfb, 0xff, 0xbf, 0x00, 0x01]);
    let head = LogHead { seq: Seq(7), hash: Hash([0xfb; 32]) };
    let room = Room { bytes: 1 << 40, commit_blob_bytes: 1 << 21, commit_changes: 1_024 };
    let (account_id, device_id) = (AccountId([1; 32]), DeviceId([2; 16]));
    let (item_id, version) = (ItemId::from_random([3; 16]), Version(4));
    let commit = StoredCommit { commit: bytes.clone(), body: bytes.clone() };
    let authors = vec![AuthorPosition { account_id, head }];
    let page =
        CommitPage { head, room, commits: vec![commit.clone()], authors: authors.clone(), more: false };
    let blob = lockstep_proto::api::items::StoredBlob { item_id, version, blob: bytes.clone() };
    let want = vec![lockstep_proto::api::items::ItemVersion { item_id, version }];
    let item = StoredItem { item_id, version, blob_hash: Hash([5; 32]), seq: Seq(6), blob: bytes.clone() };
    let kept = lockstep_proto::api::items::KeptVersion {
        version,
        seq: Seq(5),
        bytes: 600,
        stored_ms: 1_700_000_000_000,
        replaced_ms: Some(1),
    };
    let overtaken = Overtaken { page: page.clone(), blobs: vec![blob.clone()] };
    let problem = Problem::new(ErrorCode::HeadMoved, "pull first").with_head(head).with_overtaken(overtaken);
    let slots = Slots { slots: vec![Slot { hash: Hash([8; 32]), bytes: bytes.clone() }], oldest: None, head };
    let control = vec![commit.clone()];
    let sides = SidesPage { head, commits: control.clone(), authors: authors.clone(), more: true };
    let control = ControlPage { head, room, last: commit, control, authors, more: true };
    let proof = RecoveryProof { account_id, nonce: bytes.clone(), signature: Signature([9; 64]) };
    let finish = SignupFinish {
        genesis: bytes.clone(),
        auth_update: bytes.clone(),
        slots: vec![bytes.clone()],
        record: bytes.clone(),
        invite: Some("invitation ä".to_owned()),
    };
    let mut seeds = Vec::new();
    seed(&mut seeds, &problem);
    seed(&mut seeds, &page);
    seed(&mut seeds, &control);
    seed(&mut seeds, &sides);
    seed(&mut seeds, &SidesQuery { after_seq: Some(Seq(1)), after_hash: Some(Hash([2; 32])) });
    seed(&mut seeds, &slots);
    seed(&mut seeds, &proof);
    seed(&mut seeds, &finish);
    seed(&mut seeds, &ItemPage { head, room, items: vec![item], more: true });
    seed(&mut seeds, &BlobsPage { blobs: vec![blob], missing: want.clone(), more: false });
    seed(&mut seeds, &BlobsRequest { want });
    seed(&mut seeds, &VersionPage { versions: vec![kept], more: true });
    seed(&mut seeds, &ItemsQuery { after_seq: Some(Seq(1)), after_item: Some(item_id), upto: None });
    seed(&mut seeds, &LogPage { links: vec![bytes.clone()], head, more: false });
    seed(&mut seeds, &AppendLinks { links: vec![bytes.clone()], slots: vec![], record: Some(bytes.clone()) });
    seed(
        &mut seeds,
        &BarDevices { devices: vec![device_id], head: Some(head), signature: Some(Signature([3; 64])) },
    );
    seed(
        &mut seeds,
        &HealAccount { links: vec![bytes.clone()], slots: vec![bytes.clone()], record: Some(bytes.clone()) },
    );
    let wanted = vec![WantedBlob { item_id, version, blob_hash: Hash([5; 32]) }];
    seed(&mut seeds, &HealProgress { head: Some(head), staged: Some(head), wanted });
    seed(&mut seeds, &Session { token: "token".to_owned(), expires_ms: u64::MAX });
    seed(
        &mut seeds,
        &SigninAnswer { signin_id: bytes.clone(), profile: KsfProfile::CURRENT, ke2: bytes.clone() },
    );
    seed(&mut seeds, &Committed { vault_id: VaultId([3; 32]), head, room });
    seed(&mut seeds, &SendPairing { rendezvous: bytes.clone(), step: PairingStep::Offer, message: bytes });
    seeds
}

fn seed<T: Serialize>(seeds: &mut Vec<Vec<u8>>, value: &T) {
    seeds.push(to_cbor(value));
}
