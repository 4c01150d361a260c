//! Envelopes, printed keys and sheets that are refused, frozen with what is wrong with them. Envelopes are made here
//! with nothing but the primitives and what PROTOCOL.md says: no writer makes these.

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use lockstep_crypto::envelope::open;
use lockstep_crypto::keys::SymmetricKey;
use lockstep_crypto::kit::{EmergencyKit, RecoverySheet};
use lockstep_crypto::password::Password;
use lockstep_crypto::recovery_key::RecoveryKey;
use lockstep_crypto::secret_key::SecretKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use crate::{frozen, hex, unhex};

const KEY: [u8; 32] = [1; 32];
const CONTEXT: &[u8] = b"context";

/// An envelope of suite 1 around this body, which need not be padded as bodies are; `commits` says to which key it
/// does.
fn envelope(body: &[u8], commits: [u8; 32]) -> Vec<u8> {
    let salt = [7; 32];
    let info = [b"LS1/env\0\x01", &Sha256::digest(CONTEXT)[..]].concat();
    let okm = |key: &[u8; 32]| {
        let mut okm = [0; 64];
        Hkdf::<Sha512>::new(Some(&salt), key).expand(&info, &mut okm).unwrap();
        okm
    };
    let mut sealed = body.to_vec();
    let cipher = XChaCha20Poly1305::new_from_slice(&okm(&KEY)[..32]).unwrap();
    cipher.encrypt_in_place(salt[..24].try_into().unwrap(), CONTEXT, &mut sealed).unwrap();
    [&[1], &salt[..], &okm(&commits)[32..], &sealed].concat()
}

fn padded(length: u32, text: &[u8], to: usize) -> Vec<u8> {
    let mut body = [&length.to_be_bytes()[..], text].concat();
    body.resize(to, 0);
    body
}

fn with(mut bytes: Vec<u8>, place: usize, flip: u8) -> Vec<u8> {
    bytes[place] ^= flip;
    bytes
}

/// The rule that each breaks, or none; what it is; context and envelope.
fn envelopes() -> Vec<(&'static str, &'static str, &'static [u8], Vec<u8>)> {
    let good = || envelope(&padded(4, b"text", 256), KEY);
    let last = good().len() - 1;
    vec![
        ("", "an envelope", CONTEXT, good()),
        ("R-ENVELOPE (2)", "another context", b"contexu", good()),
        ("R-SUITE", "another suite", CONTEXT, with(good(), 0, 3)),
        ("R-ENVELOPE (2)", "another salt", CONTEXT, with(good(), 1, 1)),
        ("R-ENVELOPE (2)", "a commitment to no key", CONTEXT, with(good(), 33, 1)),
        (
            "R-ENVELOPE (2)",
            "a commitment to another key than opens it",
            CONTEXT,
            envelope(&padded(4, b"text", 256), [2; 32]),
        ),
        ("R-ENVELOPE (3)", "a changed body", CONTEXT, with(good(), 65, 1)),
        ("R-ENVELOPE (3)", "a changed tag", CONTEXT, with(good(), last, 1)),
        ("R-ENVELOPE (1)", "a byte less", CONTEXT, good()[..last].to_vec()),
        ("R-ENVELOPE (1)", "a byte more", CONTEXT, [&good()[..], &[0]].concat()),
        ("R-ENVELOPE (1)", "nothing", CONTEXT, Vec::new()),
        ("R-ENVELOPE (1)", "no body", CONTEXT, good()[..65].to_vec()),
        ("R-ENVELOPE (1)", "a body below the least size", CONTEXT, envelope(&padded(4, b"text", 128), KEY)),
        (
            "R-ENVELOPE (1)",
            "a body of no size that there is",
            CONTEXT,
            envelope(&padded(4, b"text", 257), KEY),
        ),
        (
            "R-ENVELOPE (4)",
            "a body larger than it needs to be",
            CONTEXT,
            envelope(&padded(4, b"text", 320), KEY),
        ),
        (
            "R-ENVELOPE (4)",
            "padding that is not zero",
            CONTEXT,
            envelope(&with(padded(4, b"text", 256), 255, 1), KEY),
        ),
        (
            "R-ENVELOPE (4)",
            "padding that is not zero right behind the text",
            CONTEXT,
            envelope(&padded(3, b"text", 256), KEY),
        ),
        ("R-ENVELOPE (4)", "a length beyond the body", CONTEXT, envelope(&padded(253, b"text", 256), KEY)),
        ("R-ENVELOPE (4)", "the highest length", CONTEXT, envelope(&padded(u32::MAX, b"text", 256), KEY)),
    ]
}

#[test]
fn envelopes_that_do_not_open() {
    let opens = |context: &[u8], envelope: &[u8]| open(&SymmetricKey::from_bytes(KEY), context, envelope);
    let cases = envelopes().into_iter().map(|(rule, name, context, envelope)| {
        let case =
            json!({ "name": name, "key": hex(&KEY), "context": hex(context), "envelope": hex(&envelope) });
        breaking(case, rule)
    });
    let description =
        "Envelopes. The one without a rule opens; all others are refused, by the rule that is named.";
    let cases = frozen("refused_envelopes.json", description, cases.collect());
    for (index, case) in cases.iter().enumerate() {
        let found = opens(&unhex(&case["context"]), &unhex(&case["envelope"]));
        assert_eq!(found.is_err(), case["rule"].is_string(), "{}", case["name"]);
        assert_eq!(found.is_err(), index > 0, "{}: the first one alone opens", case["name"]);
    }
}

fn breaking(mut case: Value, rule: &str) -> Value {
    if !rule.is_empty() {
        case["rule"] = json!(rule);
    }
    case
}

/// Whether a person's input is refused, by what it is.
fn is_refused(what: &str, text: &str) -> bool {
    match what {
        "secret key" => SecretKey::parse(text).is_err(),
        "recovery key" => RecoveryKey::parse(text).is_err(),
        "emergency kit" => EmergencyKit::parse(text).is_err(),
        "recovery sheet" => RecoverySheet::parse(text).is_err(),
        _ => Password::new(text).is_err(),
    }
}

/// The rule that each breaks, or none; how it is changed, and what it is.
fn inputs() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let key = SecretKey::from_bytes(*b"sixteen bytes..!").expose_text().to_string();
    let recovery = RecoveryKey::from_bytes(*b"twenty bytes of key!").expose_text().to_string();
    let sheets: Value = serde_json::from_str(include_str!("../../../../proto/vectors/sheets.json")).unwrap();
    let [kit, sheet] = [0, 1].map(|case| sheets["cases"][case]["text"].as_str().unwrap().to_owned());
    let swapped = format!("LR1-{}-{}", &recovery[28..], &recovery[4..27]);
    vec![
        ("", "as printed", "secret key", key.clone()),
        ("", "small letters without dashes", "secret key", key.to_lowercase().replace('-', "")),
        ("", "as printed", "recovery key", recovery.clone()),
        ("", "as printed", "emergency kit", kit.clone()),
        ("", "fields alone, in another order, with spaces", "emergency kit", {
            let fields = kit.split_once("\n\n").unwrap().1;
            fields.lines().rev().map(|line| format!("  {line} \r\n")).collect()
        }),
        ("", "as printed", "recovery sheet", sheet.clone()),
        ("", "private use", "password", "\u{e000}".to_owned()),
        ("R-PRINTED (3)", "one symbol is another", "secret key", key.replacen('3', "4", 1)),
        ("R-PRINTED (3)", "two symbols change places", "secret key", key.replacen("3K", "K3", 1)),
        ("R-PRINTED (1)", "a symbol too few", "secret key", key[..key.len() - 1].to_owned()),
        ("R-PRINTED (2)", "a symbol that there is not", "secret key", key.replacen('3', "U", 1)),
        ("R-PRINTED (1)", "a Recovery Key", "secret key", recovery.clone()),
        ("R-PRINTED (1)", "a Secret Key", "recovery key", key),
        ("R-PRINTED (3)", "its parts change places", "recovery key", swapped),
        ("R-SHEET (2)", "another address", "emergency kit", kit.replacen("vault", "valut", 1)),
        ("R-SUITE", "another profile", "emergency kit", kit.replacen("profile:  1", "profile:  2", 1)),
        ("R-SHEET (1)", "no check", "emergency kit", kit.split_once("Check").unwrap().0.to_owned()),
        (
            "R-SHEET (1)",
            "a field twice",
            "emergency kit",
            format!("{kit}Server: https://vault.example:8443/a\n"),
        ),
        ("R-SHEET (3)", "another scheme", "emergency kit", kit.replacen("https://", "ftp://", 1)),
        ("R-SHEET (4)", "the other sheet", "emergency kit", sheet.clone()),
        ("R-SHEET (4)", "the other sheet", "recovery sheet", kit),
        ("R-SHEET (2)", "another server id", "recovery sheet", sheet.replacen("Xl5", "Xl4", 1)),
        ("R-PASSWORD", "a code point that is not assigned", "password", "a\u{378}".to_owned()),
        ("R-PASSWORD", "a code point that never will be", "password", "a\u{fdd0}".to_owned()),
    ]
}

#[test]
fn what_a_person_types_wrong_is_refused() {
    let cases = inputs()
        .into_iter()
        .map(|(rule, name, what, text)| breaking(json!({ "name": name, "what": what, "text": text }), rule));
    let description = "What a person types or scans. Those without a rule are read; all others are refused, by the rule that \
        is named.";
    let cases = frozen("refused_inputs.json", description, cases.collect());
    for (index, case) in cases.iter().enumerate() {
        let [what, text] = ["what", "text"].map(|member| case[member].as_str().unwrap());
        assert_eq!(is_refused(what, text), case["rule"].is_string(), "{}", case["name"]);
        assert_eq!(is_refused(what, text), index >= 7, "{what}, {}: the first seven are read", case["name"]);
    }
}
