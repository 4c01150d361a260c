//! Ids and numbers: one text form, one length, and nothing lost on the way.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::{Bytes, from_base64url, to_base64url};
use crate::canon::{Canon, CanonError, from_bytes, to_bytes};
use crate::ids::*;
use crate::sign::{PublicKey, Signature};

trait Id: FromStr<Err = IdError> + Display + Debug + Canon + Serialize + DeserializeOwned + PartialEq {}
impl<T: FromStr<Err = IdError> + Display + Debug + Canon + Serialize + DeserializeOwned + PartialEq> Id
    for T
{
}

fn byte_id<T: Id + for<'a> TryFrom<&'a [u8], Error = IdError>>(name: &str, what: &str, length: usize) {
    let bytes: Vec<u8> = (0..length).map(|index| 0xff - 7 * index as u8).collect();
    let id = T::try_from(&bytes).unwrap();
    let text = id.to_string();
    assert_eq!(text, to_base64url(&bytes));
    assert_eq!(format!("{id:?}"), format!("{name}({text})"), "what logs show is what people see");
    assert!(T::from_str(&text).unwrap() == id);
    assert_eq!(to_bytes(&id), bytes);
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    for wrong in [length - 1, length + 1, 0] {
        let bytes = vec![1; wrong];
        assert_eq!(T::try_from(&bytes).unwrap_err().to_string(), format!("this is no {what}"));
        let text = to_base64url(&bytes);
        assert_eq!(T::from_str(&text).unwrap_err().to_string(), format!("this is no {what}"));
        assert!(serde_json::from_str::<T>(&format!("\"{text}\"")).is_err());
        let mut cbor = Vec::new();
        ciborium::into_writer(&Bytes(bytes), &mut cbor).unwrap();
        assert!(ciborium::from_reader::<T, _>(&cbor[..]).is_err());
    }
    assert_eq!(from_bytes::<T>(&bytes[1..]).unwrap_err(), CanonError::Truncated);
    let standard = text.replace('-', "+").replace('_', "/");
    assert_ne!(standard, text, "the sample tells the alphabets apart");
    let mut loose = text.clone();
    let last = loose.pop().unwrap();
    loose.push(char::from(last as u8 + 1));
    for wrong in [standard, format!("{text}="), format!(" {text}"), format!("{text}\n"), loose] {
        assert!(T::from_str(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn byte_ids_have_one_text_form_and_one_length() {
    byte_id::<Hash>("Hash", "hash", 32);
    byte_id::<AccountId>("AccountId", "account id", 32);
    byte_id::<VaultId>("VaultId", "vault id", 32);
    byte_id::<DeviceId>("DeviceId", "device id", 16);
    byte_id::<ServerId>("ServerId", "server id", 16);
}

#[test]
fn zero_stands_for_absent_and_an_id_is_its_hash() {
    assert!(Hash::ZERO.is_zero() && Hash::default() == Hash::ZERO && !Hash([1; 32]).is_zero());
    let mut last = [0; 16];
    last[15] = 1;
    assert!(!DeviceId(last).is_zero() && DeviceId::ZERO.is_zero());
    let hash = Hash(*b"0123456789abcdef0123456789abcdef");
    assert_eq!(AccountId::from(hash).as_bytes(), hash.as_bytes());
    assert_eq!(VaultId::from(hash).as_ref(), hash.as_ref());
}

#[test]
fn item_ids_are_version_8_whatever_they_are_made_of() {
    for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
        for id in [ItemId::from_random(bytes), ItemId::from_derived(bytes)] {
            assert_eq!(id.as_bytes()[6] >> 4, 8, "version");
            assert_eq!(id.as_bytes()[8] >> 6, 0b10, "variant");
            let kept = |index: &usize| ![6, 8].contains(index);
            assert!((0..16).filter(kept).all(|index| id.as_bytes()[index] == bytes[index]));
            assert_eq!(id.as_bytes()[6] & 0x0f, bytes[6] & 0x0f);
            assert_eq!(id.as_bytes()[8] & 0x3f, bytes[8] & 0x3f);
        }
    }
}

#[test]
fn an_item_id_is_written_as_a_hyphenated_uuid() {
    let id = ItemId::from_random([0xab; 16]);
    let text = "abababab-abab-8bab-abab-abababababab";
    assert_eq!(id.to_string(), text);
    assert_eq!(format!("{id:?}"), format!("ItemId({text})"));
    assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    assert_eq!((ItemId::from_str(text).unwrap(), from_bytes::<ItemId>(id.as_bytes()).unwrap()), (id, id));
    for wrong in
        ["", "abababab", &text[1..], &format!("{text}0"), &format!(" {text}"), &text.replace('b', "g")]
    {
        assert_eq!(ItemId::from_str(wrong).unwrap_err().to_string(), "this is no item id", "{wrong}");
        assert!(serde_json::from_str::<ItemId>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
    }
}

#[test]
fn item_ids_of_another_version_or_variant_are_no_item_ids() {
    let texts = [
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "6ba7b810-9dad-4fd1-80b4-00c04fd430c8",
        "6ba7b810-9dad-8fd1-00b4-00c04fd430c8",
        "6ba7b810-9dad-8fd1-c0b4-00c04fd430c8",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ];
    for text in texts {
        assert!(ItemId::from_str(text).is_err() && serde_json::from_value::<ItemId>(text.into()).is_err());
        let bytes = *uuid::Uuid::parse_str(text).unwrap().as_bytes();
        assert_eq!(from_bytes::<ItemId>(&bytes), Err(CanonError::Invalid("item id")), "{text}");
        let mut cbor = Vec::new();
        ciborium::into_writer(&Bytes(bytes.to_vec()), &mut cbor).unwrap();
        assert!(ciborium::from_reader::<ItemId, _>(&cbor[..]).is_err(), "{text}");
    }
}

#[test]
fn numbers_count_up_and_stop_at_the_end() {
    assert_eq!((Seq(0).next(), Seq(u64::MAX).next()), (Seq(1), Seq(u64::MAX)));
    assert_eq!((Version(0).next(), Version(u64::MAX).next()), (Version(1), Version(u64::MAX)));
    assert_eq!((Epoch(1).next(), Epoch(u32::MAX).next()), (Epoch(2), Epoch(u32::MAX)));
    assert_eq!((Generation(1).next(), Generation(u32::MAX).next()), (Generation(2), Generation(u32::MAX)));
    assert_eq!((Seq(7).to_string(), Epoch(8).to_string()), ("7".to_owned(), "8".to_owned()));
    assert_eq!(
        (to_bytes(&Seq(258)), to_bytes(&Epoch(258))),
        (vec![0, 0, 0, 0, 0, 0, 1, 2], vec![0, 0, 1, 2])
    );
    assert_eq!(serde_json::from_str::<Seq>("18446744073709551615").unwrap(), Seq(u64::MAX));
    for wrong in ["18446744073709551616", "-1", "1.0", "\"1\"", "null", "[1]"] {
        assert!(serde_json::from_str::<Seq>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Epoch>(wrong).is_err(), "{wrong}");
    }
    assert!(serde_json::from_str::<Epoch>("4294967296").is_err());
}

#[test]
fn base64url_has_one_form() {
    for length in 0..40u8 {
        let bytes: Vec<u8> = (0..length).map(|index| 0xfb ^ index.wrapping_mul(37)).collect();
        assert_eq!(from_base64url(&to_base64url(&bytes)), Some(bytes));
    }
    for wrong in ["A", "AA==", "AA=", "AB", "AAB", "+w", "/w", "A A", "AA\n", "AA\0", "ä"] {
        assert_eq!(from_base64url(wrong), None, "{wrong:?}");
    }
}

#[test]
fn what_is_long_or_secret_is_not_printed() {
    assert_eq!(format!("{:?}", Bytes(vec![1; 300])), "Bytes(300 B)");
    assert_eq!(format!("{:?}", Signature([7; 64])), "Signature(..)");
    let key = PublicKey([1; 32]);
    assert_eq!(format!("{key:?}"), format!("PublicKey({})", to_base64url(&key.0)));
}
