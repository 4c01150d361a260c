//! R-SUITE: of every kind, all that is known reads and writes the same byte, and all else asks for an update.

use std::fmt::Debug;

use crate::blob::{ItemHeader, ItemState};
use crate::canon::{Canon, CanonError, from_bytes, to_bytes};
use crate::ids::*;
use crate::log::{CommitKind, Enrolment, LinkKind, RekeyReason, Role, Signer};
use crate::signin::{ChallengePurpose, KsfProfile};
use crate::wrap::{KeyKind, SlotKind};

fn known<T: Canon + PartialEq + Debug>(field: &'static str, all: &[T]) {
    for (index, kind) in all.iter().enumerate() {
        assert_eq!(to_bytes(kind), [index as u8 + 1], "{kind:?} keeps its number");
    }
    for value in 0..=u8::MAX {
        match from_bytes::<T>(&[value]) {
            Ok(kind) => assert_eq!(kind, all[usize::from(value) - 1]),
            Err(error) => {
                assert!(value == 0 || usize::from(value) > all.len(), "{field} {value}");
                assert_eq!(error, CanonError::UpdateNeeded { field, value: u32::from(value) });
            }
        }
    }
    assert_eq!(from_bytes::<T>(&[]), Err(CanonError::Truncated), "{field}");
}

#[test]
fn kinds_of_one_byte() {
    known("slot kind", SlotKind::ALL);
    known("key kind", KeyKind::ALL);
    known("link kind", &LinkKind::ALL);
    known("commit kind", &CommitKind::ALL);
    known("role", &[Role::Reader, Role::Writer, Role::Admin]);
    known("enrolment", &[Enrolment::Pairing, Enrolment::Kit, Enrolment::Recovery]);
    let reasons = [RekeyReason::Lost, RekeyReason::Retired, RekeyReason::Rotation, RekeyReason::Recovery];
    known("rekey reason", &reasons);
    known("challenge purpose", &[ChallengePurpose::Session]);
}

#[test]
fn the_item_state_and_the_suite_of_a_header() {
    let header = ItemHeader {
        vault_id: VaultId([1; 32]),
        epoch: Epoch(1),
        item_id: ItemId::from_random([2; 16]),
        version: Version(1),
        prev_blob_hash: Hash::ZERO,
        author_account: AccountId([3; 32]),
        author_device: DeviceId([4; 16]),
        state: ItemState::Live,
    };
    let bytes = header.context();
    let suite = 1 + "item-header".len();
    for value in 0..=u8::MAX {
        let with = |at: usize| {
            let mut changed = bytes.clone();
            changed[at] = value;
            from_bytes::<ItemHeader>(&changed)
        };
        let update = |field| CanonError::UpdateNeeded { field, value: u32::from(value) };
        match value {
            1 => assert_eq!((with(suite), with(bytes.len() - 1)), (Ok(header), Ok(header))),
            2 => assert_eq!(with(bytes.len() - 1).map(|header| header.state), Ok(ItemState::Tombstone)),
            _ => assert_eq!(with(bytes.len() - 1), Err(update("item state"))),
        }
        assert!(value == 1 || with(suite) == Err(update("suite")));
    }
}

#[test]
fn a_signer_names_a_device_exactly_if_it_is_one() {
    let signer = |kind: u8, device: [u8; 16]| from_bytes::<Signer>(&[&[kind][..], &device].concat());
    assert_eq!(signer(1, [7; 16]), Ok(Signer::Device(DeviceId([7; 16]))));
    assert_eq!(signer(2, [0; 16]), Ok(Signer::Enrolment));
    assert_eq!(signer(3, [0; 16]), Ok(Signer::Recovery));
    for (kind, device) in [(1, [0; 16]), (2, [7; 16]), (3, [7; 16]), (0, [0; 16]), (4, [7; 16])] {
        assert_eq!(signer(kind, device), Err(CanonError::Invalid("signer")), "{kind}");
    }
}

#[test]
fn an_unknown_stretching_profile_asks_for_an_update_and_brings_no_parameters() {
    assert_eq!(to_bytes(&KsfProfile::CURRENT), [0, 1]);
    let known = KsfProfile::Profile1.parameters();
    assert_eq!((known.memory_kib, known.passes, known.lanes), (65_536, 3, 4), "frozen by PROTOCOL.md");
    for value in (0..=u16::MAX).filter(|value| *value != 1) {
        let update = CanonError::UpdateNeeded { field: "KSF profile", value: u32::from(value) };
        assert_eq!(KsfProfile::try_from(value), Err(update));
        assert_eq!(from_bytes::<KsfProfile>(&value.to_be_bytes()), Err(update));
    }
    for text in ["0", "2", "65536", "-1", "1.5", "\"1\"", "null", "{\"memory_kib\":8}"] {
        assert!(serde_json::from_str::<KsfProfile>(text).is_err(), "{text}");
    }
    let error = serde_json::from_str::<KsfProfile>("2").unwrap_err().to_string();
    assert!(error.contains("update needed"), "{error}");
}
