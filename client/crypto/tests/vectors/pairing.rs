//! A pairing, message by message.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::pairing::{
    DeviceName, Exchange, Grant, Invitation, Offer, PairingCode, PairingLink, Reveal, Sent, open_reply,
    seal_reply,
};
use lockstep_crypto::secret_key::SecretKey;
use lockstep_proto::ids::{AccountId, Generation, Hash, Seq, ServerId};
use lockstep_proto::log::LogHead;
use lockstep_proto::signin::KsfProfile;
use serde_json::{Value, json};

use crate::{CountingRandom, frozen, hex, unhex, unhex_array};

const CODE: [u8; 10] = *b"ten bytes!";
const NONCE: [u8; 32] = [0x0e; 32];
const NEW_DEVICE: [u8; 64] = [0x4d; 64];
const ADDED: LogHead = LogHead { seq: Seq(8), hash: Hash([0xad; 32]) };

fn pairing() -> Value {
    let code = PairingCode::from_bytes(CODE);
    let secrets = code.derive_secrets();
    let random = CountingRandom::new();
    let keys = DeviceKeys::from_secret_bytes(&NEW_DEVICE).unwrap();
    let invitation = Invitation {
        server_id: ServerId([5; 16]),
        account_id: AccountId([0xac; 32]),
        head: LogHead { seq: Seq(7), hash: Hash([7; 32]) },
        commitment: Invitation::commit(&NONCE),
    };
    let invitation = Sent::make(&secrets, invitation);
    let offer = Offer::make(&secrets, &keys, &DeviceName::new("phone"), &random).unwrap();
    let offer = Sent::make(&secrets, offer);
    let reveal = Sent::make(&secrets, Reveal { nonce: NONCE });
    let sent = [invitation.as_bytes(), offer.as_bytes(), reveal.as_bytes()].map(hex);
    let exchange = Exchange::new(invitation, offer, reveal).unwrap();
    let grant = Grant {
        ark: Ark::from_bytes([8; 32]),
        generation: Generation(3),
        secret_key: SecretKey::from_bytes([9; 16]),
        ksf_profile: KsfProfile::Profile1,
    };
    let reply = seal_reply(&secrets, &exchange, ADDED, &grant, &random).unwrap();
    let server_url = lockstep_crypto::kit::ServerUrl::new("https://vault.example.org").unwrap();
    json!({
        "code": hex(&CODE),
        "code_text": *code.expose_text(),
        "link": *PairingLink { code, server_url }.expose_text(),
        "rendezvous": hex(&secrets.rendezvous()),
        "nonce": hex(&NONCE),
        "new_device_secret": hex(&NEW_DEVICE),
        "name": "phone",
        "invitation": sent[0],
        "offer": sent[1],
        "reveal": sent[2],
        "words": exchange.words().to_string(),
        "added_seq": ADDED.seq.0,
        "added_hash": hex(&ADDED.hash.0),
        "ark": hex(&[8; 32]),
        "generation": 3,
        "secret_key": hex(&[9; 16]),
        "profile": 1,
        "reply": hex(reply.as_bytes()),
    })
}

#[test]
fn pairing_is_frozen() {
    let description = "one pairing: the code and what it gives, the four messages, the words";
    for case in frozen("pairing.json", description, vec![pairing()]) {
        let secrets = PairingCode::parse(case["code_text"].as_str().unwrap()).unwrap().derive_secrets();
        assert_eq!(secrets.rendezvous(), unhex_array(&case["rendezvous"]));
        let exchange = Exchange::new(
            Sent::read(&secrets, &unhex(&case["invitation"])).unwrap(),
            Sent::read(&secrets, &unhex(&case["offer"])).unwrap(),
            Sent::read(&secrets, &unhex(&case["reveal"])).unwrap(),
        );
        let exchange = exchange.unwrap();
        assert_eq!(exchange.words().to_string(), case["words"].as_str().unwrap());
        assert_eq!(exchange.offer().name(&secrets).unwrap().as_str(), "phone");
        let keys = DeviceKeys::from_secret_bytes(&unhex(&case["new_device_secret"])).unwrap();
        let opened = open_reply(&secrets, &exchange, keys.kem(), &unhex(&case["reply"])).unwrap();
        assert_eq!(opened.added, ADDED);
        assert_eq!(opened.grant.ark.expose_bytes()[..], unhex(&case["ark"]));
        assert_eq!(opened.grant.secret_key.expose_bytes()[..], unhex(&case["secret_key"]));
    }
}
