//! The slots of former generations of ARK, which a Recovery Key goes back to.

use std::collections::BTreeSet;

use lockstep_proto::api::account::{AppendLinks, Appended, Slots};
use lockstep_proto::api::heal::{AccountHealed, HealAccount};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{Generation, Hash};
use lockstep_proto::log::{AccountLink, AccountState, LinkBody};
use lockstep_proto::sign::Signed;
use lockstep_proto::wrap::slot_hash;

use crate::support::{Account, Backend, Device, Vault, World};

const LINKS: &str = "/v1/account/links";

async fn slots(world: &World, token: &str, query: &str) -> BTreeSet<Bytes> {
    let slots: Slots = world.get(&format!("/v1/account/slots{query}"), token).await.ok();
    slots.slots.into_iter().map(|slot| slot.bytes).collect()
}

/// What a generation's recovery slot and vault's slot are, as the state that is at it names them.
async fn named(world: &World, token: &str, state: &AccountState) -> BTreeSet<Bytes> {
    let slots: Slots = world.get("/v1/account/slots", token).await.ok();
    let mut named: BTreeSet<_> = state.vaults().values().map(|vault| vault.slot.hash).collect();
    named.insert(state.auth().unwrap().recovery_slot);
    slots.slots.into_iter().filter(|slot| named.contains(&slot.hash)).map(|slot| slot.bytes).collect()
}

#[actix_web::test]
async fn a44_former_slots_are_kept_and_given_until_there_is_another_recovery_key() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        account.pin(&vault);
        let mut former = Vec::new();
        for _ in 0..2 {
            former.push(named(&world, &token, &account.state(&world).await).await);
            let request = account.rekey(&world, &token, b"new", &[]).await;
            world.post(LINKS, &token, &request).await.ok::<Appended>();
        }
        let key = account.recovery_key.clone();
        let recovery = account.open_recovery(&world, &key).await.ok().unwrap();
        let kit = account.sign_in(&world, b"new").await.ok().unwrap().enrolment_token;
        for session in [&token, &recovery, &kit] {
            let present = slots(&world, session, "").await;
            assert_eq!(present.len(), 6);
            assert_eq!(former.iter().map(BTreeSet::len).collect::<Vec<_>>(), [2, 2]);
            let all = &former[0] | &former[1];
            for (generation, expected) in [(0, &BTreeSet::new()), (1, &former[0]), (2, &all), (3, &all)] {
                let query = format!("?generation={generation}");
                assert_eq!(&slots(&world, session, &query).await, expected, "{generation}");
                let page: Slots = world.get(&format!("/v1/account/slots{query}"), session).await.ok();
                assert_eq!(page.oldest, (generation > 0).then_some(Generation(1)));
            }
        }
        for nonsense in ["-1", "x", "4294967296"] {
            let answer = world.get(&format!("/v1/account/slots?generation={nonsense}"), &token).await;
            assert!(answer.status.is_client_error(), "{nonsense}");
        }
        // Nobody else's.
        let other = Account::sign_up(&world).await.token(&world).await;
        assert!(slots(&world, &other, "?generation=2").await.is_empty());
        let request = account.recover(&world, &recovery, Device::new(), &[]).await;
        world.post(LINKS, &recovery, &request).await.ok::<Appended>();
        for generation in 1..=3 {
            assert!(slots(&world, &token, &format!("?generation={generation}")).await.is_empty());
        }
    }
}

/// Whoever signs a rekey need not give its slots: what was there before stays, and the catch-up brings what was given later.
#[actix_web::test]
async fn a44_a_rekey_that_is_given_back_without_its_slots_takes_none_away() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        account.pin(&vault);
        let first = named(&world, &token, &account.state(&world).await).await;
        let AppendLinks { links, slots: own, record } = account.rekey(&world, &token, b"new", &[]).await;
        let bare = HealAccount { links: links.clone(), slots: Vec::new(), record: record.clone() };
        world.post("/v1/heal/account", "", &bare).await.ok::<AccountHealed>();
        assert!(slots(&world, &token, "").await.is_empty());
        assert_eq!(slots(&world, &token, "?generation=1").await, first);
        let request = account.rekey(&world, &token, b"newer", &[]).await;
        world.post(LINKS, &token, &request).await.ok::<Appended>();
        assert_eq!(slots(&world, &token, "?generation=1").await, first);
        assert_eq!(slots(&world, &token, "?generation=2").await, first);
        // A device that has them gives them back, with those that only the state of then named left out.
        let kept = own.iter().filter(|slot| is_kept(&links, &slot_hash(slot)));
        let late = HealAccount { links: request.links.clone(), slots: kept.cloned().collect(), record: None };
        world.post("/v1/heal/account", "", &late).await.ok::<AccountHealed>();
        assert_eq!(
            slots(&world, &token, "?generation=2").await,
            first.into_iter().chain(late.slots).collect()
        );
    }
}

/// Whether a rekey names this slot as one that is kept: its recovery slot, or a vault's.
fn is_kept(links: &[Bytes], hash: &Hash) -> bool {
    let link = Signed::<AccountLink>::from_wire(&links[0]).unwrap();
    let LinkBody::Rekey(rekey) = &link.value().body else { panic!("a rekey") };
    rekey.auth.recovery_slot == *hash || rekey.vault_slots.iter().any(|slot| slot.slot == *hash)
}
