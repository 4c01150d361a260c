//! Everything sealed that a device sends, with every context that it could have been sealed for.

use std::collections::BTreeMap;

use lockstep_client::ports::{Method, Request};
use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::api::heal::{HealAccount, HealBlobs, HealCommits};
use lockstep_proto::api::pairing::{OpenPairing, SendPairing};
use lockstep_proto::api::signup::SignupFinish;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::blob::Blob;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, DeviceId, Generation, Hash, Seq, VaultId};
use lockstep_proto::log::{AccountLink, AuthUpdate, CommitBody, Entry, LinkBody, Rekey};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::{KeyKind, SlotKind, WrapContext, slot_hash};
use lockstep_tests::decode;

/// Generations that a scenario reaches: where a link does not name one, all are tried.
const GENERATIONS: std::ops::RangeInclusive<u32> = 1..=4;

/// Something sealed.
pub(crate) enum Sealed {
    /// A slot, and what it may have been sealed for.
    Slot(Vec<u8>, Vec<WrapContext>),
    /// An item.
    Item(Blob),
    /// A message of a pairing.
    Pairing(Vec<u8>),
}

/// What the links that were sent so far say about slots.
#[derive(Clone, Default)]
pub(crate) struct Places(BTreeMap<Hash, Vec<WrapContext>>);

impl Places {
    /// What is sealed in a request.
    pub(crate) fn sealed(&mut self, request: &Request) -> Vec<Sealed> {
        let (path, body) = (request.path.as_str(), &request.body[..]);
        if request.method != Method::Post {
            return Vec::new();
        }
        match path {
            "/v1/signup/finish" => {
                let sent: SignupFinish = decode(body);
                self.links(&[sent.genesis, sent.auth_update], sent.slots)
            }
            "/v1/account/links" => {
                let sent: AppendLinks = decode(body);
                self.links(&sent.links, sent.slots)
            }
            "/v1/heal/account" => {
                let sent: HealAccount = decode(body);
                self.links(&sent.links, sent.slots)
            }
            "/v1/pairing" => vec![Sealed::Pairing(decode::<OpenPairing>(body).invitation.0)],
            "/v1/pairing/send" => vec![Sealed::Pairing(decode::<SendPairing>(body).message.0)],
            _ if path.ends_with("/heal/commits") => {
                let sent: HealCommits = decode(body);
                let each = sent.commits.iter().flat_map(|stored| previous(&stored.commit, &stored.body));
                each.collect()
            }
            _ if path.ends_with("/heal/blobs") => items(&decode::<HealBlobs>(body).blobs).collect(),
            _ if path.ends_with("/commits") => {
                let sent: PostCommit = decode(body);
                items(&sent.blobs).chain(previous(&sent.commit, &sent.body)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn links(&mut self, links: &[Bytes], slots: Vec<Bytes>) -> Vec<Sealed> {
        let mut found = Vec::new();
        for bytes in links {
            let signed = Signed::<AccountLink>::from_wire(bytes).unwrap();
            let place = Place::before(signed.value());
            match &signed.value().body {
                LinkBody::AuthUpdate(auth) => self.auth(place, auth, GENERATIONS, GENERATIONS),
                LinkBody::Rekey(rekey) => found.push(self.rekey(place, rekey)),
                LinkBody::Recover(recover) => found.push(self.rekey(place, &recover.rekey)),
                LinkBody::VaultCreate(made) => {
                    let contexts = GENERATIONS.map(|ark| place.vault(made.vault_id, ark, 1));
                    self.note(made.slot, contexts);
                }
                _ => {}
            }
        }
        found.extend(slots.into_iter().map(|slot| {
            let contexts = self.0.get(&slot_hash(&slot)).cloned().unwrap_or_default();
            Sealed::Slot(slot.0, contexts)
        }));
        found
    }

    fn rekey(&mut self, place: Place, rekey: &Rekey) -> Sealed {
        let ark = rekey.generation.0;
        self.auth(place, &rekey.auth, ark..=ark, rekey.uek_generation.0..=rekey.uek_generation.0);
        for slot in &rekey.device_slots {
            let ctx = place.context(SlotKind::Device, (KeyKind::Device, 0), (KeyKind::Ark, ark));
            self.note(slot.slot, [WrapContext { device_id: slot.device_id, ..ctx }]);
        }
        for slot in &rekey.vault_slots {
            self.note(slot.slot, [place.vault(slot.vault_id, ark, slot.epoch.0)]);
        }
        let before = (KeyKind::Ark, ark.saturating_sub(1));
        let context = place.context(SlotKind::PrevArk, (KeyKind::Ark, ark), before);
        Sealed::Slot(rekey.prev_ark.clone(), vec![context])
    }

    fn auth(
        &mut self,
        place: Place,
        auth: &AuthUpdate,
        arks: std::ops::RangeInclusive<u32>,
        ueks: std::ops::RangeInclusive<u32>,
    ) {
        let secret_key = auth.secret_key_generation.0;
        for ark in arks {
            let (auk, ark) = ((KeyKind::Auk, secret_key), (KeyKind::Ark, ark));
            self.note(auth.password_slot, [place.context(SlotKind::Password, auk, ark)]);
            self.note(auth.recovery_slot, [place.context(SlotKind::Recovery, (KeyKind::Recovery, 0), ark)]);
            let wrapped = (KeyKind::SecretKey, secret_key);
            self.note(auth.secret_key_slot, [place.context(SlotKind::SecretKey, ark, wrapped)]);
            let each = ueks.clone().map(|uek| place.context(SlotKind::Uek, ark, (KeyKind::Uek, uek)));
            self.note(auth.uek_slot, each);
        }
    }

    fn note(&mut self, slot: Hash, contexts: impl IntoIterator<Item = WrapContext>) {
        self.0.entry(slot).or_default().extend(contexts);
    }
}

/// A place in an account's log, before a link.
#[derive(Clone, Copy)]
struct Place {
    account_id: AccountId,
    seq: Seq,
    hash: Hash,
}

impl Place {
    fn before(link: &AccountLink) -> Self {
        Self { account_id: link.account_id, seq: Seq(link.seq.0.saturating_sub(1)), hash: link.prev_hash }
    }

    fn context(self, slot: SlotKind, wrapping: (KeyKind, u32), wrapped: (KeyKind, u32)) -> WrapContext {
        WrapContext {
            account_id: self.account_id,
            slot,
            wrapping: wrapping.0,
            wrapping_generation: Generation(wrapping.1),
            wrapped: wrapped.0,
            wrapped_generation: Generation(wrapped.1),
            vault_id: VaultId::ZERO,
            device_id: DeviceId::ZERO,
            log_seq: self.seq,
            log_hash: self.hash,
        }
    }

    fn vault(self, vault_id: VaultId, ark: u32, epoch: u32) -> WrapContext {
        let wrapped = (KeyKind::VaultKey, epoch);
        WrapContext { vault_id, ..self.context(SlotKind::VaultKey, (KeyKind::Ark, ark), wrapped) }
    }
}

fn items(blobs: &[Bytes]) -> impl Iterator<Item = Sealed> + '_ {
    blobs.iter().map(|blob| Sealed::Item(Blob::from_bytes(blob).unwrap()))
}

/// The key before that a control commit holds.
fn previous(commit: &Bytes, body: &Bytes) -> Option<Sealed> {
    let entry = Entry::from_wire(commit, body).unwrap();
    let commit = entry.commit.value();
    let CommitBody::Control(control) = entry.body else { return None };
    let place = Place {
        account_id: commit.author_account,
        seq: Seq(commit.seq.0.saturating_sub(1)),
        hash: commit.prev_hash,
    };
    let epoch = control.epoch.0;
    let (after, before) = ((KeyKind::VaultKey, epoch), (KeyKind::VaultKey, epoch.saturating_sub(1)));
    let context = place.context(SlotKind::PrevVaultKey, after, before);
    Some(Sealed::Slot(control.prev_vault_key, vec![WrapContext { vault_id: commit.vault_id, ..context }]))
}
