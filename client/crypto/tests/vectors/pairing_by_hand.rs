//! The pairing's vector once more, with nothing but the primitives and what PROTOCOL.md says.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha512;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, PskBundle};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};

use crate::unhex;

fn case() -> Value {
    let text = include_str!("../../../../proto/vectors/pairing.json");
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"][0].clone()
}

fn labelled(label: &str, rest: &[u8]) -> Vec<u8> {
    [b"LS1/", label.as_bytes(), &[0], rest].concat()
}

fn derived<const N: usize>(code: &[u8], label: &str) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha512>::new(None, code).expand(&labelled(label, &[]), &mut out).unwrap();
    out
}

fn hashed(label: &str, rest: &[u8]) -> [u8; 32] {
    Sha256::digest(labelled(label, rest)).into()
}

fn field(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// What stands before the fields, of a message whose MAC is right; and the fields.
fn fields(case: &Value, name: &str, label: &str) -> Vec<u8> {
    let message = unhex(&case[name]);
    let (body, mac) = message.split_at(message.len() - 32);
    let key: [u8; 32] = derived(&unhex(&case["code"]), "pair-mac");
    let mut hmac = Hmac::<Sha512>::new_from_slice(&key).unwrap();
    hmac.update(&labelled("pair-message", body));
    assert_eq!(hmac.finalize().into_bytes()[..32], *mac, "{name}");
    let start = [&[u8::try_from(label.len()).unwrap()], label.as_bytes(), &[1]].concat();
    body.strip_prefix(&start[..]).unwrap().to_vec()
}

#[test]
fn the_mailboxs_name_and_the_printed_code_come_from_the_code() {
    let case = case();
    assert_eq!(derived::<16>(&unhex(&case["code"]), "pair-rendezvous").to_vec(), unhex(&case["rendezvous"]));
    let text = case["code_text"].as_str().unwrap();
    let link = format!("lockstep://pair#{text}@https://vault.example.org");
    assert_eq!(case["link"].as_str(), Some(link.as_str()));
    let alphabet = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let symbols = text[4..].bytes().filter(|symbol| *symbol != b'-');
    let value = |symbol| alphabet.iter().position(|letter| *letter == symbol).unwrap() as u128;
    let number = symbols.take(16).fold(0_u128, |number, symbol| number << 5 | value(symbol));
    assert_eq!(number.to_be_bytes()[6..], unhex(&case["code"]));
}

#[test]
fn the_invitation_commits_to_the_nonce_that_the_reveal_tells() {
    let case = case();
    let invitation = fields(&case, "invitation", "pair-invitation");
    assert_eq!(invitation.len(), 16 + 32 + 8 + 32 + 32);
    let nonce = fields(&case, "reveal", "pair-reveal");
    assert_eq!(nonce, unhex(&case["nonce"]));
    assert_eq!(invitation[88..], hashed("pair-commit", &nonce));
}

#[test]
fn the_words_are_44_bits_of_what_both_sides_have() {
    let case = case();
    let invitation = fields(&case, "invitation", "pair-invitation");
    let parts = [
        &invitation[88..],
        &unhex(&case["nonce"]),
        &field(&unhex(&case["offer"])),
        &invitation[16..48],
        &invitation[48..88],
    ];
    let hash = hashed("pair-words", &parts.concat());
    let bits = u64::from_be_bytes(hash[..8].try_into().unwrap()) >> 20;
    let list = bip39::Language::English.word_list();
    let words = [33, 22, 11, 0].map(|place| list[(bits >> place & 2_047) as usize]);
    assert_eq!(case["words"].as_str(), Some(words.join(" ").as_str()));
}

#[test]
fn the_reply_opens_with_the_new_devices_key_the_code_and_the_transcript() {
    let case = case();
    let reply = fields(&case, "reply", "pair-reply");
    let (added, sealed) = reply.split_at(40);
    let (length, sealed) = sealed.split_at(4);
    assert_eq!(u32::from_be_bytes(length.try_into().unwrap()) as usize, sealed.len());
    let messages = ["invitation", "offer", "reveal"].map(|name| field(&unhex(&case[name])));
    let transcript = hashed("pair-transcript", &messages.concat());
    let info = [b"\x09pair-info\x01", &transcript[..], &field(added)].concat();

    let psk: [u8; 32] = derived(&unhex(&case["code"]), "pair-psk");
    let rendezvous = unhex(&case["rendezvous"]);
    let mode = OpModeR::Psk(PskBundle::new(&psk, &rendezvous).unwrap());
    let secret = unhex(&case["new_device_secret"]);
    let secret = <XWing as Kem>::PrivateKey::from_bytes(&secret[32..]).unwrap();
    assert_eq!(sealed[0], 1);
    let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(&sealed[1..1_121]).unwrap();
    let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha512, XWing>(
        &mode,
        &secret,
        &encapsulated,
        &info,
        &sealed[1_121..],
        &[],
    );
    let expected = [
        &b"\x0apair-grant\x01"[..],
        &3_u32.to_be_bytes(),
        &1_u16.to_be_bytes(),
        &unhex(&case["ark"]),
        &unhex(&case["secret_key"]),
    ];
    assert_eq!(opened.unwrap(), expected.concat());
}
