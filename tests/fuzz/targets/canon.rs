//! Canon: what decodes is the one encoding of what it decodes to.

use std::fmt::Debug;

use lockstep_proto::bar::BarStatement;
use lockstep_proto::blob::{Blob, ItemHeader};
use lockstep_proto::canon::{self, Canon};
use lockstep_proto::digest::{Digest, LeafSum};
use lockstep_proto::ids::ItemId;
use lockstep_proto::log::{
    AccountLink, Change, Commit, CommitBody, CommitKind, ContentBody, ControlBody, DevicePublicKeys, Entry,
    ForkEvidence, ForkStatement, GenesisCommit, HealBody, KemKey, LogHead, Member, RecoveryPublicKeys,
    VaultHead, VaultState,
};
use lockstep_proto::sign::{PublicKey, Signed, signed_bytes};
use lockstep_proto::signin::{RecoveryChallenge, SessionChallenge};
use lockstep_proto::wrap::WrapContext;

use super::seeds::{cases, unhex, vectors};

/// Reads the input as everything that has a canonical encoding. The labels tell most apart.
pub(crate) fn run(input: &[u8]) {
    decode::<Signed<AccountLink>>(input);
    decode::<Signed<Commit>>(input);
    decode::<Signed<SessionChallenge>>(input);
    decode::<Signed<RecoveryChallenge>>(input);
    decode::<Signed<BarStatement>>(input);
    decode::<Signed<ForkStatement>>(input);
    if let Some(evidence) = decode::<ForkEvidence>(input) {
        let _ = evidence.verify();
    }
    decode::<ItemHeader>(input);
    decode::<Blob>(input);
    decode::<WrapContext>(input);
    decode::<VaultState>(input);
    decode::<GenesisCommit>(input);
    decode::<ContentBody>(input);
    decode::<ControlBody>(input);
    decode::<HealBody>(input);
    decode::<Member>(input);
    decode::<Change>(input);
    decode::<DevicePublicKeys>(input);
    decode::<RecoveryPublicKeys>(input);
    decode::<KemKey>(input);
    decode::<LogHead>(input);
    decode::<VaultHead>(input);
    decode::<ItemId>(input);
    if let Some(key) = decode::<PublicKey>(input) {
        let _ = key.check();
    }
    if let Some(digest) = decode::<Digest>(input)
        && let Ok(sum) = LeafSum::from_digest(&digest)
    {
        assert!(sum.to_digest() == digest, "a digest has one encoding");
    }
    if let Some(link) = decode::<Signed<AccountLink>>(input) {
        assert!(input[4..].starts_with(&signed_bytes(link.value())));
    }
    for kind in CommitKind::ALL {
        if let Ok(body) = CommitBody::from_bytes(kind, input) {
            assert!(body.kind() == kind && body.to_bytes() == input);
        }
    }
    if let Ok(blob) = Blob::from_bytes(input) {
        assert!(blob.to_bytes() == input);
    }
    entry(input);
}

/// A commit with its body behind it.
fn entry(input: &[u8]) {
    let Some(length) = input.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize) else {
        return;
    };
    let Some(end) = length.checked_add(4 + 64) else { return };
    let Some((commit, body)) = input.split_at_checked(end) else { return };
    if let Ok(entry) = Entry::from_wire(commit, body) {
        assert!(entry.commit.to_wire() == commit && entry.body.to_bytes() == body);
        assert!(entry.body.hash() == entry.commit.value().body_hash);
    }
}

fn decode<T: Canon + PartialEq + Debug>(input: &[u8]) -> Option<T> {
    let value: T = canon::from_bytes(input).ok()?;
    let bytes = canon::to_bytes(&value);
    assert!(bytes == input, "decoding, then encoding, is the identity");
    assert_eq!(canon::from_bytes::<T>(&bytes).unwrap(), value);
    Some(value)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vectors("links", &["wire"]);
    seeds.extend(vectors("commits", &["wire", "body", "digest"]));
    for case in cases("commits") {
        seeds.push([unhex(case["wire"].as_str().unwrap()), unhex(case["body"].as_str().unwrap())].concat());
    }
    seeds.extend(vectors("blob", &["blob", "header"]));
    seeds.extend(vectors("wrap", &["context"]));
    seeds.extend(vectors("canon", &["bytes"]));
    seeds.extend(vectors("digest", &["digest"]));
    for case in cases("session") {
        let [bytes, signature] =
            ["signed_bytes", "signature"].map(|name| unhex(case[name].as_str().unwrap()));
        seeds.push([&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes, &signature].concat());
    }
    seeds.extend(super::log::checkpoints());
    seeds
}
