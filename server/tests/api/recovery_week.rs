//! The week between the announcement of a Recovery Key and its confirmation, by every route.

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::{Admissions, Restored, SignupRule};
use lockstep_proto::api::account::{AppendLinks, Appended};
use lockstep_proto::api::heal::{AccountHealed, HealAccount};
use lockstep_proto::api::{ErrorCode, RECOVERY_WAIT_SECONDS};
use lockstep_proto::sign::PublicKey;
use lockstep_server::SystemRandom;

use crate::support::{Account, Answer, Backend, Place, World, open};

const LINKS: &str = "/v1/account/links";
const DAY: u64 = 24 * 60 * 60;

async fn give_back(world: &World, request: &AppendLinks) -> Answer {
    let AppendLinks { links, slots, record } = request.clone();
    world.post("/v1/heal/account", "", &HealAccount { links, slots, record }).await
}

#[actix_web::test]
async fn a44_an_announced_recovery_key_waits_a_week_on_every_route() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let (announce, recovery) = account.announce_recovery();
        let head = account.head;
        let confirm = account.confirm_recovery(&recovery);
        let after = std::mem::replace(&mut account.head, head);
        // Both at once: nobody could have seen the first one.
        let mut both = confirm.clone();
        both.links = [announce.links.clone(), confirm.links.clone()].concat();
        let refused = world.post(LINKS, &token, &both).await.problem();
        let wait = Some(RECOVERY_WAIT_SECONDS);
        assert_eq!((refused.code, refused.retry_after_seconds), (ErrorCode::RecoveryTooEarly, wait));
        assert_eq!(give_back(&world, &both).await.code(), ErrorCode::HeadMoved);
        world.post(LINKS, &token, &announce).await.ok::<Appended>();
        for day in 0..7 {
            let token = account.token(&world).await;
            let left = world.post(LINKS, &token, &confirm).await.problem().retry_after_seconds;
            assert_eq!(left, Some(RECOVERY_WAIT_SECONDS - day * DAY as u32));
            assert_eq!(give_back(&world, &confirm).await.code(), ErrorCode::HeadMoved);
            world.clock.advance_seconds(if day == 6 { DAY - 1 } else { DAY });
        }
        let token = account.token(&world).await;
        let left = world.post(LINKS, &token, &confirm).await.problem().retry_after_seconds;
        assert_eq!(left, Some(1));
        let present = PublicKey::from(&account.recovery_key);
        assert_eq!(account.state(&world).await.recovery().signing, present, "until then it recovers");
        world.clock.advance_seconds(1);
        world.post(LINKS, &token, &confirm).await.ok::<Appended>();
        account.head = after;
        assert_eq!(*account.state(&world).await.recovery(), recovery);
        // What has waited here may come by the other route as well.
        let (announce, recovery) = account.announce_recovery();
        give_back(&world, &announce).await.ok::<AccountHealed>();
        world.clock.advance_seconds(7 * DAY);
        let confirm = account.confirm_recovery(&recovery);
        give_back(&world, &confirm).await.ok::<AccountHealed>();
        assert_eq!(*account.state(&world).await.recovery(), recovery);
    }
}

#[actix_web::test]
async fn a_later_announcement_waits_a_week_of_its_own_and_the_present_key_does_not_wait() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let (first, _) = account.announce_recovery();
        world.post(LINKS, &token, &first).await.ok::<Appended>();
        world.clock.advance_seconds(6 * DAY);
        let token = account.token(&world).await;
        let (second, recovery) = account.announce_recovery();
        world.post(LINKS, &token, &second).await.ok::<Appended>();
        world.clock.advance_seconds(DAY);
        let token = account.token(&world).await;
        let head = account.head;
        let confirm = account.confirm_recovery(&recovery);
        let refused = world.post(LINKS, &token, &confirm).await.problem();
        assert_eq!(refused.retry_after_seconds, Some(RECOVERY_WAIT_SECONDS - DAY as u32));
        account.head = head;
        let change = account.change_recovery();
        world.post(LINKS, &token, &change).await.ok::<Appended>();
        world.clock.advance_seconds(6 * DAY);
        let token = account.token(&world).await;
        let confirm = account.confirm_recovery(&recovery);
        assert_eq!(world.post(LINKS, &token, &confirm).await.code(), ErrorCode::LinkRefused);
    }
}

/// A server that was restored has lost when it was given the announcement: its operator says so.
#[actix_web::test]
async fn a_restored_server_takes_back_what_had_waited_where_its_operator_says_so() {
    let secrets = ServerSecrets::make(&SystemRandom);
    let full =
        World::on(open(Backend::Sqlite, &Place::new()), &secrets, SignupRule::Open, Place::new()).await;
    let mut account = Account::sign_up(&full).await;
    let signup = account.signup.clone();
    let (announce, recovery) = account.announce_recovery();
    let confirm = account.confirm_recovery(&recovery);
    for backend in Backend::ALL {
        for restored in [Restored::No, Restored::Yes] {
            let folder = Place::new();
            let admissions = Admissions { restored, ..Admissions::unguarded(SignupRule::Open) };
            let world = World::admitting(open(backend, &folder), &secrets, admissions, folder).await;
            let begun = AppendLinks {
                links: vec![signup.genesis.clone(), signup.auth_update.clone()],
                slots: signup.slots.clone(),
                record: Some(signup.record.clone()),
            };
            give_back(&world, &begun).await.ok::<AccountHealed>();
            give_back(&world, &announce).await.ok::<AccountHealed>();
            let given = give_back(&world, &confirm).await;
            assert_eq!(given.status.is_success(), restored == Restored::Yes);
        }
    }
}
