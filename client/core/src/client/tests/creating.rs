//! Vaults that are being made.

use lockstep_proto::canon;

use super::desk::{Desk, VAULT_NAME};
use crate::testing::block_on;
use crate::vault::{Creation, creations, names};

#[test]
fn every_name_that_a_vault_may_have_survives_the_record_of_its_creation() {
    let desk = Desk::new();
    let name = "n".repeat(200_000);
    names::named(None, &name, desk.client.author()).unwrap();
    let creation = Creation::make(desk.client.unlocked(), &name, 1);
    let read: Creation = canon::from_bytes(&canon::to_bytes(&creation)).unwrap();
    assert_eq!(read.vault_id(), creation.vault_id());
    assert!(names::named(None, &"n".repeat(300_000), desk.client.author()).is_err());
}

#[test]
fn a_creation_of_a_vault_that_was_pulled_meanwhile_ends_and_leaves_it_as_it_is() {
    let desk = Desk::new();
    let (client, author) = (&desk.client, desk.client.author());
    let unlocked = client.unlocked();
    let creation = Creation::make(unlocked, VAULT_NAME, 1);
    block_on(creation.store(&client.ports, unlocked)).unwrap();
    let again = || block_on(creations(&client.ports, unlocked)).unwrap().remove(0);
    let (mut vault, _) = creation.adopt(unlocked, unlocked.state(), author).unwrap();
    let (named, _) = again().join(unlocked, &vault, author).unwrap();
    assert_eq!(named, None);

    let waited = std::mem::take(&mut vault.outbox);
    let (named, batch) = again().join(unlocked, &vault, author).unwrap();
    assert_eq!(named.into_iter().collect::<crate::vault::Outbox>(), waited);
    block_on(client.ports.store.write(batch)).unwrap();
    assert!(block_on(creations(&client.ports, unlocked)).unwrap().is_empty());
}
