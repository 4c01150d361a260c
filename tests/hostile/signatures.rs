//! Right signatures in the wrong place (A20), and signatures that are not quite right (A21).

use lockstep_client::sync::SyncError;
use lockstep_crypto::device::DeviceKeys;
use lockstep_native::OsRandom;
use lockstep_proto::api::account::LogPage;
use lockstep_proto::api::vaults::CommitPage;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::ids::{AccountId, DeviceId, Hash, Seq, ServerId, VaultId};
use lockstep_proto::log::{AccountLink, Commit, ForkStatement, LinkBody, LogHead, Signer, VaultCreate};
use lockstep_proto::sign::{Signature, Signed, Structure, signed_bytes};
use lockstep_proto::signin::{ChallengePurpose, RecoveryChallenge, SessionChallenge};
use lockstep_tests::{TestDevice, asks_commits, assert_in_step, two_devices};

use super::{asks_log, changed, shown, unseen};

/// Signed structures of every kind, as on the wire.
fn every_kind(keys: &DeviceKeys) -> Vec<(&'static str, Vec<u8>)> {
    let (account_id, device_id, server_id) = (AccountId([1; 32]), DeviceId([2; 16]), ServerId([3; 16]));
    let link = AccountLink::after(
        account_id,
        &LogHead::default(),
        Signer::Device(device_id),
        0,
        Vec::new(),
        LinkBody::VaultCreate(VaultCreate { vault_id: VaultId([4; 32]), slot: Hash([5; 32]) }),
    );
    let statement = ForkStatement {
        account_id,
        device_id,
        position: LogHead::default(),
        vault_id: VaultId([4; 32]),
        held: LogHead::default(),
        served: LogHead { seq: Seq(1), hash: Hash([5; 32]) },
        time_ms: 1,
    };
    let (purpose, nonce) = (ChallengePurpose::Session, [6; 32]);
    let session = SessionChallenge { server_id, account_id, device_id, purpose, nonce };
    let recovery = RecoveryChallenge { server_id, account_id, nonce };
    fn wire<T: Structure>(value: T, keys: &DeviceKeys) -> (&'static str, Vec<u8>) {
        (T::LABEL, Signed::sign(value, keys.signing()).to_wire())
    }
    let bars = BarStatement { server_id, account_id, device_id, head: LogHead::default(), devices: vec![] };
    vec![wire(link, keys), wire(statement, keys), wire(session, keys), wire(recovery, keys), wire(bars, keys)]
}

fn reads<T: Structure>(wire: &[u8]) -> bool {
    Signed::<T>::from_wire(wire).is_ok()
}

#[test]
fn a20_a_signature_is_good_for_one_kind_of_structure() {
    let kinds = every_kind(&DeviceKeys::make(&OsRandom));
    for (label, wire) in &kinds {
        let read = [
            (AccountLink::LABEL, reads::<AccountLink>(wire)),
            (ForkStatement::LABEL, reads::<ForkStatement>(wire)),
            (SessionChallenge::LABEL, reads::<SessionChallenge>(wire)),
            (RecoveryChallenge::LABEL, reads::<RecoveryChallenge>(wire)),
            (BarStatement::LABEL, reads::<BarStatement>(wire)),
            (Commit::LABEL, reads::<Commit>(wire)),
        ];
        for (other, is_read) in read {
            assert_eq!(is_read, other == *label, "{label} read as {other}");
        }
    }
}

/// Commits of another vault of the same account, each rightly signed by a device of it.
#[tokio::test]
async fn a20_the_commits_of_another_own_vault_are_refused() {
    let (_server, mut first, mut second) = Box::pin(two_devices()).await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    let old = first.vault().await.unwrap();
    let other = first.client.create_vault("Work").await.unwrap();
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    let item = first.client.make_item_id();
    let login = lockstep_tests::login(&first.client, "In the other vault").unwrap();
    first.client.save(other, item, login).await.unwrap();
    first.sync().await.unwrap();
    let api = lockstep_client::api::Api::new(first.net.clone());
    let session = first.client.unlocked().session(&api);
    let theirs = api.commits(&session, &other, &Default::default()).await.unwrap();
    let path = format!("/v1/vaults/{old}/commits");
    let head = second.client.vaults().await.unwrap().iter().find(|vault| vault.vault_id == old).unwrap().head;
    let swap = changed::<CommitPage>(asks_commits, move |page| *page = theirs.clone());
    second.net.server().answer(move |request, response| {
        if request.path.starts_with(&path) { swap(request, response) } else { response }
    });
    let error = second.sync().await.unwrap_err();
    let refused =
        matches!(error, SyncError::Commit { .. } | SyncError::Diverged { .. } | SyncError::Behind { .. });
    assert!(refused, "{error}");
    let vaults = second.client.vaults().await.unwrap();
    assert_eq!(vaults.iter().find(|vault| vault.vault_id == old).unwrap().head, head);
}

/// The order of the group, little-endian (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The signature at the end of these bytes with S + L for S: the same equation, other bytes.
fn malleated(wire: &mut [u8]) {
    let start = wire.len() - 32;
    let mut carry = 0_u16;
    for (byte, order) in wire[start..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

async fn refused(mut first: TestDevice, mut second: TestDevice) -> SyncError {
    let before = shown(&second).await;
    let error = second.sync().await.unwrap_err();
    assert_eq!(shown(&second).await, before);
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
    error
}

#[tokio::test]
async fn a21_a_malleated_signature_of_a_commit_is_refused() {
    let (_server, first, second, _) = Box::pin(unseen()).await;
    second.net.server().answer(changed::<CommitPage>(asks_commits, |page| {
        malleated(&mut page.commits[0].commit.0);
    }));
    let error = refused(first, second).await;
    assert_eq!(error.rule(), Some("R-AUTHOR"), "{error}");
}

#[tokio::test]
async fn a21_a_malleated_signature_of_a_link_is_refused() {
    let (_server, mut first, second) = Box::pin(two_devices()).await;
    first.client.create_vault("Work").await.unwrap();
    second.net.server().answer(changed::<LogPage>(asks_log, |page| malleated(&mut page.links[0].0)));
    let before = second.client.status().await.unwrap().account_head;
    let mut second = second;
    let error = second.sync().await.unwrap_err();
    assert!(matches!(error, SyncError::Account(_)), "{error}");
    assert_eq!(second.client.status().await.unwrap().account_head, before);
    second.net.server().be_honest();
    second.sync().await.unwrap();
}

#[test]
fn a21_small_order_and_other_encodings_of_keys_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut order_two = [0xff; 32];
    (order_two[0], order_two[31]) = (0xec, 0x7f);
    let (zero, mut not_canonical) = ([0; 32], [0xff; 32]);
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    for key in [identity, order_two, zero, not_canonical] {
        let key = lockstep_proto::sign::PublicKey(key);
        assert!(key.check().is_err(), "{key:?}");
        let anything = signed_bytes(&RecoveryChallenge {
            server_id: ServerId([1; 16]),
            account_id: AccountId([2; 32]),
            nonce: [3; 32],
        });
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&key.0);
        assert!(key.verify(&anything, &Signature(signature)).is_err());
    }
}
