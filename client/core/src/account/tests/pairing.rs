//! Pairing against a server in memory.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use lockstep_crypto::pairing::{DeviceName, PairingCode, PairingLink, PairingMessageError};
use lockstep_proto::api::pairing::PairingStep;
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::{Enrolment, VaultHead};

use super::super::*;
use super::device::{Device, PASSWORD, account, password};
use super::links::{SEEN, create_vault, vault_id};
use super::rekey::{Plan, rekey};
use super::server::{Loss, Server};
use crate::account::Claims;
use crate::testing::block_on;

/// Runs both until both are done.
async fn both<A, B>(one: impl Future<Output = A>, two: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut first, mut second) = (None, None);
    poll_fn(move |context| {
        if first.is_none()
            && let Poll::Ready(output) = one.as_mut().poll(context)
        {
            first = Some(output);
        }
        if second.is_none()
            && let Poll::Ready(output) = two.as_mut().poll(context)
        {
            second = Some(output);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(two)) => Poll::Ready((one, two)),
            (one, two) => {
                (first, second) = (one, two);
                Poll::Pending
            }
        }
    })
    .await
}

/// The old device, as the facade would use it.
struct Old {
    device: Device,
    unlocked: Unlocked,
    api: crate::api::Api,
    session: Session,
    heads: Vec<VaultHead>,
}

impl Old {
    fn new(device: Device, unlocked: Unlocked) -> Self {
        let api = device.api();
        let session = unlocked.session(&api);
        let heads = unlocked.state().vaults().keys();
        let heads = heads.map(|vault_id| VaultHead { vault_id: *vault_id, head: SEEN });
        let heads = heads.collect();
        Self { device, unlocked, api, session, heads }
    }

    fn approver(&mut self) -> Approver<'_> {
        Approver {
            ports: &self.device.ports,
            api: &self.api,
            session: &self.session,
            unlocked: &mut self.unlocked,
        }
    }

    fn invite(&mut self) -> Approval {
        block_on(Approval::open(&self.approver())).unwrap()
    }

    fn confirm(&mut self, offer: OfferTaken) -> Result<DeviceId, PairingError> {
        let heads = self.heads.clone();
        let key = self.device.password_key(&mut self.unlocked);
        block_on(offer.confirm(self.approver(), heads, &key))
    }
}

fn link(approval: &Approval) -> PairingLink {
    let text = approval.code().expose_text();
    PairingLink::parse(&format!("lockstep://pair#{}@https://vault.example.org", text.as_str())).unwrap()
}

fn name() -> DeviceName {
    DeviceName::new("Anna's phone")
}

/// A server, an account with one vault, and a new device.
fn scene() -> (Arc<Server>, Old, Device) {
    let (server, first, signed_up) = account();
    let mut unlocked = signed_up.unlocked;
    create_vault(&first, &mut unlocked, 1).unwrap();
    let new = Device::new(&server, 3);
    (server, Old::new(first, unlocked), new)
}

/// Both sides up to the words.
fn met<'a>(old: &mut Old, new: &'a Device) -> (OfferTaken, Joining<'a>) {
    let approval = old.invite();
    let link = link(&approval);
    let name = name();
    let (offer, joining) =
        block_on(both(approval.take_offer(&old.session), start_join(&new.ports, &link, &name)));
    (offer.unwrap(), joining.unwrap())
}

fn admitted<'a>(old: &mut Old, new: &'a Device) -> Admitted<'a> {
    let (offer, joining) = met(old, new);
    old.confirm(offer).unwrap();
    block_on(joining.confirm()).unwrap()
}

fn finish(admitted: &Admitted<'_>, text: &str) -> Result<Unlocked, PairingError> {
    block_on(admitted.finish(&password(text)))
}

#[test]
fn a_device_is_let_in_and_has_what_the_other_one_has() {
    let (server, mut old, new) = scene();
    let (offer, joining) = met(&mut old, &new);
    assert_eq!(offer.words(), joining.words());
    assert_eq!(offer.name().as_str(), "Anna's phone");
    assert_eq!(joining.account_id(), old.unlocked.account_id());
    assert!(new.is_untouched());
    let device_id = old.confirm(offer).unwrap();
    let admitted = block_on(joining.confirm()).unwrap();
    assert_eq!(admitted.device_id(), device_id);
    assert!(new.is_untouched());
    let unlocked = finish(&admitted, PASSWORD).unwrap();
    assert_eq!(unlocked.state().device(&device_id).unwrap().how(), Some(Enrolment::Pairing));
    for unlocked in [unlocked, new.unlock().unwrap()] {
        assert_eq!(unlocked.device_id(), device_id);
        assert_eq!(unlocked.state(), old.unlocked.state());
        assert_eq!(unlocked.ark().expose_bytes(), old.unlocked.ark().expose_bytes());
        let (kit, theirs) = (unlocked.emergency_kit().unwrap(), old.unlocked.emergency_kit().unwrap());
        assert_eq!(*kit.expose_text(), *theirs.expose_text());
    }
    let sent = server.everything_sent();
    let secrets: [&[u8]; 3] =
        [old.unlocked.ark().expose_bytes(), old.unlocked.secret_key.expose_bytes(), b"Anna's phone"];
    assert!(secrets.iter().all(|secret| !super::device::contains(&sent, secret)));
}

#[test]
fn what_the_old_device_has_seen_is_kept_as_claims() {
    let (_server, mut old, new) = scene();
    let unlocked = finish(&admitted(&mut old, &new), PASSWORD).unwrap();
    let claims = block_on(Claims::load(&*new.ports.store, &unlocked)).unwrap();
    let seen = VaultHead { vault_id: vault_id(1), head: SEEN };
    assert_eq!(claims.all().collect::<Vec<_>>(), [seen]);
}

#[test]
fn a_paired_device_syncs_the_log_and_signs_links() {
    let (_server, mut old, new) = scene();
    let mut unlocked = finish(&admitted(&mut old, &new), PASSWORD).unwrap();
    create_vault(&new, &mut unlocked, 2).unwrap();
    let change = old.device.pull(&mut old.unlocked).unwrap();
    assert_eq!(change.added_vaults, [vault_id(2)]);
}

#[test]
fn a_wrong_password_stores_nothing_and_can_be_typed_again() {
    let (_server, mut old, new) = scene();
    let admitted = admitted(&mut old, &new);
    let error = finish(&admitted, "not the password").err().unwrap();
    assert!(matches!(error, PairingError::WrongPassword), "{error}");
    assert!(new.is_untouched());
    finish(&admitted, PASSWORD).unwrap();
}

#[test]
fn only_the_local_password_lets_anybody_invite() {
    let (_server, old, _new) = scene();
    let check = |text| block_on(reauthenticate(&old.device.ports, &old.unlocked, &password(text)));
    check(PASSWORD).unwrap();
    assert!(matches!(check("guessed"), Err(ProfileError::WrongPassword)));
}

#[test]
fn an_unknown_code_and_an_ended_mailbox_are_told() {
    let (server, mut old, new) = scene();
    let approval = old.invite();
    let other = PairingLink { code: PairingCode::from_bytes([1; 10]), ..link(&approval) };
    assert!(matches!(block_on(start_join(&new.ports, &other, &name())).err(), Some(PairingError::Ended)));
    server.mailboxes().end();
    let joined = block_on(start_join(&new.ports, &link(&approval), &name()));
    assert!(matches!(joined.err(), Some(PairingError::Ended)));
    let taken = block_on(approval.take_offer(&old.session));
    assert!(matches!(taken.err(), Some(PairingError::Ended)));
    assert!(new.is_untouched());
}

#[test]
fn nothing_is_signed_when_the_mailbox_ends_before_the_person_confirms() {
    let (server, mut old, new) = scene();
    let before = old.unlocked.state().head();
    let (offer, joining) = met(&mut old, &new);
    server.mailboxes().end();
    assert!(matches!(old.confirm(offer), Err(PairingError::Ended)));
    assert!(matches!(block_on(joining.confirm()).err(), Some(PairingError::Ended)));
    assert_eq!(old.unlocked.state().head(), before);
    assert_eq!(server.sent("/v1/account/links").len(), 1);
}

#[test]
fn an_offer_that_never_comes_ends_the_wait() {
    let (_server, mut old, _new) = scene();
    let approval = old.invite();
    assert!(matches!(block_on(approval.take_offer(&old.session)).err(), Some(PairingError::NoAnswer)));
}

#[test]
fn a_second_device_with_the_same_code_is_refused() {
    let (server, mut old, new) = scene();
    let approval = old.invite();
    let (link, name) = (link(&approval), name());
    let (offer, joining) =
        block_on(both(approval.take_offer(&old.session), start_join(&new.ports, &link, &name)));
    let (offer, joining) = (offer.unwrap(), joining.unwrap());
    let late = Device::new(&server, 4);
    assert!(matches!(block_on(start_join(&late.ports, &link, &name)).err(), Some(PairingError::Taken)));
    assert!(late.is_untouched());
    old.confirm(offer).unwrap();
    finish(&block_on(joining.confirm()).unwrap(), PASSWORD).unwrap();
}

/// Every message, one byte changed while it lies in the mailbox.
#[test]
fn a_message_that_was_changed_is_refused_by_whoever_reads_it() {
    let (server, mut old, new) = scene();
    let flip = |message: &mut Vec<u8>| message[20] ^= 1;
    let approval = old.invite();
    server.mailboxes().change(PairingStep::Invitation, flip);
    let error = block_on(start_join(&new.ports, &link(&approval), &name())).err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::OtherCode)), "{error}");
    server.mailboxes().end();

    let (offer, joining) = met(&mut old, &new);
    server.mailboxes().change(PairingStep::Offer, flip);
    assert!(matches!(old.confirm(offer), Err(PairingError::Taken)));
    drop(joining);
    server.mailboxes().end();

    let (offer, joining) = met(&mut old, &new);
    old.confirm(offer).unwrap();
    server.mailboxes().change(PairingStep::Reply, flip);
    let error = block_on(joining.confirm()).err().unwrap();
    assert!(matches!(error, PairingError::Message(PairingMessageError::OtherCode)), "{error}");
    assert!(new.is_untouched());
}

#[test]
fn an_account_that_moved_meanwhile_ends_the_pairing_before_anything_is_signed() {
    let (server, mut old, new) = scene();
    let (offer, _joining) = met(&mut old, &new);
    let third = Device::new(&server, 5);
    let mut theirs = third.sign_in(&old.unlocked.emergency_kit().unwrap()).unwrap();
    create_vault(&third, &mut theirs, 3).unwrap();
    assert!(matches!(old.confirm(offer), Err(PairingError::AccountChanged)));
    old.device.pull(&mut old.unlocked).unwrap();
    let paired = |unlocked: &Unlocked| {
        unlocked.state().devices().values().any(|device| device.how() == Some(Enrolment::Pairing))
    };
    assert!(!paired(&old.unlocked));
    let (offer, _joining) = met(&mut old, &new);
    create_vault(&old.device, &mut old.unlocked, 4).unwrap();
    assert!(matches!(old.confirm(offer), Err(PairingError::AccountChanged)));
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    let (server, mut old, new) = scene();
    for path in ["/v1/pairing", "/v1/pairing/send", "/v1/pairing/receive", "/v1/account/links"] {
        for loss in [Loss::Request, Loss::Answer] {
            server.lose(path, loss);
        }
    }
    finish(&admitted(&mut old, &new), PASSWORD).unwrap();
}

#[test]
fn a_reply_that_cannot_be_sent_leaves_a_device_without_keys_and_says_so() {
    let (server, mut old, new) = scene();
    let (offer, joining) = met(&mut old, &new);
    for _ in 0..10 {
        server.lose("/v1/pairing/send", Loss::Request);
    }
    let error = old.confirm(offer).unwrap_err();
    assert!(matches!(error, PairingError::Unanswered { .. }), "{error}");
    assert!(matches!(block_on(joining.confirm()).err(), Some(PairingError::NoAnswer)));
    assert!(new.is_untouched());
    server.mailboxes().end();
    server.forgive();
    let again = Device::new(&server, 6);
    finish(&admitted(&mut old, &again), PASSWORD).unwrap();
}

#[test]
fn a_link_whose_answer_never_comes_waits_and_is_told() {
    let (server, mut old, new) = scene();
    let (offer, _joining) = met(&mut old, &new);
    for _ in 0..10 {
        server.lose("/v1/account/links", Loss::Request);
    }
    let error = old.confirm(offer).unwrap_err();
    let PairingError::Unanswered { device_id, .. } = error else { panic!("{error}") };
    server.forgive();
    let waiting = resume_link(&old.device.ports, &old.api, &mut old.unlocked, &old.session);
    block_on(waiting).unwrap();
    assert!(old.unlocked.state().device(&device_id).is_some());
}

#[test]
fn what_happened_before_it_came_is_no_news_to_a_new_device_and_its_password_is_the_accounts() {
    let (_server, mut old, new) = scene();
    let unlocked = finish(&admitted(&mut old, &new), PASSWORD).unwrap();
    let events = block_on(security_events(&*new.ports.store, &unlocked)).unwrap();
    assert!(events.len() >= 2 && events.iter().all(|record| record.seen), "{events:?}");
    assert!(!block_on(password_is_outdated(&*new.ports.store, &unlocked)).unwrap());
}

#[test]
fn a_root_key_that_was_changed_before_the_profile_is_made_is_adopted() {
    let (_server, mut old, new) = scene();
    let admitted = admitted(&mut old, &new);
    let (link, slots) = {
        let plan = Plan::rotation(&old.unlocked);
        rekey(&old.device, &mut old.unlocked, &plan)
    };
    let appended = append_link(
        &old.device.ports,
        &old.api,
        &mut old.unlocked,
        &old.session,
        link,
        LinkParts::of_slots(slots),
    );
    block_on(appended).unwrap();
    let unlocked = finish(&admitted, PASSWORD).unwrap();
    for unlocked in [unlocked, new.unlock().unwrap()] {
        assert_eq!(unlocked.state(), old.unlocked.state());
        assert_eq!(unlocked.ark().expose_bytes(), old.unlocked.ark().expose_bytes());
    }
}

#[test]
fn a_log_without_this_device_makes_no_profile() {
    let (server, mut old, new) = scene();
    let account_id = old.unlocked.account_id();
    let admitted = admitted(&mut old, &new);
    let links = server.links(&account_id);
    server.set_links(&account_id, links[..links.len() - 1].to_vec());
    let error = finish(&admitted, PASSWORD).err().unwrap();
    assert!(matches!(error, PairingError::Account(AccountError::Withheld { .. })), "{error}");
    assert!(new.is_untouched());
    server.set_links(&account_id, links);
    finish(&admitted, PASSWORD).unwrap();
}

#[test]
fn a_log_on_another_branch_makes_no_profile() {
    let (server, mut old, new) = scene();
    let account_id = old.unlocked.account_id();
    let links = server.links(&account_id);
    let kit = old.unlocked.emergency_kit().unwrap();
    let admitted = admitted(&mut old, &new);
    let truth = server.links(&account_id);
    server.set_links(&account_id, links);
    for seed in [7, 8] {
        Device::new(&server, seed).sign_in(&kit).unwrap();
    }
    let error = finish(&admitted, PASSWORD).err().unwrap();
    assert!(matches!(error, PairingError::Account(AccountError::Diverged { .. })), "{error}");
    assert!(new.is_untouched());
    server.set_links(&account_id, truth);
    finish(&admitted, PASSWORD).unwrap();
}

#[test]
fn a_profile_that_exists_is_never_written_over() {
    let (_server, mut old, new) = scene();
    let (approval, kit) = (old.invite(), old.unlocked.emergency_kit().unwrap());
    new.sign_in(&kit).unwrap();
    let joined = block_on(start_join(&new.ports, &link(&approval), &name()));
    let error = joined.err().unwrap();
    assert!(matches!(error, PairingError::Account(AccountError::Profile(ProfileError::Exists))), "{error}");
}

#[test]
fn a_power_cut_leaves_no_profile_or_a_whole_one() {
    let (_server, mut old, new) = scene();
    let (offer, joining) = met(&mut old, &new);
    assert!(new.after_power_cut().is_untouched());
    old.confirm(offer).unwrap();
    let admitted = block_on(joining.confirm()).unwrap();
    assert!(new.after_power_cut().is_untouched());
    finish(&admitted, PASSWORD).unwrap();
    let again = new.after_power_cut().unlock().unwrap();
    assert_eq!(again.state(), old.unlocked.state());
}
