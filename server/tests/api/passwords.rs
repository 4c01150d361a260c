//! New passwords, and what a sign-in session may append.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{AppendLinks, Appended, LogPage, Slots};
use lockstep_proto::api::session::Session;
use lockstep_proto::api::signin::SigninFinish;

use crate::support::{Account, Backend, Device, Login, World};

const LINKS: &str = "/v1/account/links";

#[actix_web::test]
async fn after_a_password_change_only_the_new_one_signs_in() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let earlier = account.sign_in(&world, &account.password).await.ok().unwrap().enrolment_token;
        let (login, ke1) = Login::start(&account.password);
        let start = lockstep_proto::api::signin::SigninStart { account_id: account.id, ke1: ke1.into() };
        let begun: lockstep_proto::api::signin::SigninAnswer =
            world.post("/v1/signin/start", "", &start).await.ok();
        let request = account.new_password(&world, &token, b"new").await;
        for _ in 0..2 {
            assert_eq!(world.post(LINKS, &token, &request).await.ok::<Appended>().head, account.head);
        }
        let refused = account.sign_in(&world, &account.password).await.err().unwrap();
        assert_eq!(refused.code(), ErrorCode::SigninFailed);
        account.sign_in(&world, b"new").await.ok().unwrap();
        // Nobody who has a device is signed out, and nobody who came by the old password goes on.
        assert!(world.get("/v1/account/log", &token).await.status.is_success());
        assert_eq!(world.get("/v1/account/log", &earlier).await.code(), ErrorCode::Unauthenticated);
        let ke3 = login.finish(&account.password, &begun.ke2, &account.id, &world.server_id).unwrap();
        let finish = SigninFinish { signin_id: begun.signin_id, ke3: ke3.into() };
        let late: lockstep_proto::api::signin::EnrolmentSession =
            world.post("/v1/signin/finish", "", &finish).await.ok();
        let read = world.get("/v1/account/log", &late.enrolment_token).await;
        assert_eq!(read.code(), ErrorCode::Unauthenticated);
    }
}

#[actix_web::test]
async fn a_rekey_brings_its_slots_and_its_password() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        account.add_device(&world, &token).await;
        let (head, esk, rk) = (account.head, account.enrolment_key.clone(), account.recovery_key.clone());
        let without = AppendLinks { record: None, ..account.rekey(&world, &token, b"new", &[]).await };
        assert_eq!(world.post(LINKS, &token, &without).await.code(), ErrorCode::BadSlot);
        (account.head, account.enrolment_key, account.recovery_key) = (head, esk, rk);
        let request = account.rekey(&world, &token, b"new", &[]).await;
        world.post(LINKS, &token, &request).await.ok::<Appended>();
        let slots: Slots = world.get("/v1/account/slots", &token).await.ok();
        assert_eq!((slots.slots.len(), slots.head), (6, account.head));
        assert!(account.sign_in(&world, &account.password).await.is_err());
        account.sign_in(&world, b"new").await.ok().unwrap();
    }
}

#[actix_web::test]
async fn a_sign_in_brings_one_device_in_and_lets_it_set_the_password() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let old_password = account.password.clone();
        let token = account.sign_in(&world, &old_password).await.ok().unwrap().enrolment_token;
        // A link of a device that did not come in by this session, whoever sends it.
        let head = account.head;
        let stolen = account.new_password(&world, &token, b"stolen").await;
        assert_eq!(world.post(LINKS, &token, &stolen).await.code(), ErrorCode::Forbidden);
        account.head = head;
        let pairing = lockstep_proto::log::LinkBody::DeviceAdd(lockstep_proto::log::DeviceAdd {
            keys: Device::new().keys,
            how: lockstep_proto::log::Enrolment::Pairing,
        });
        let key = account.device.key.clone();
        let signer = lockstep_proto::log::Signer::Device(account.device.id());
        let link = account.link(signer, &key, pairing);
        account.head = head;
        let paired = AppendLinks { links: vec![link], slots: Vec::new(), record: None };
        assert_eq!(world.post(LINKS, &token, &paired).await.code(), ErrorCode::Forbidden);

        let device = Device::new();
        let added = account.add_by_kit(&device);
        world.post(LINKS, &token, &added).await.ok::<Appended>();
        let head = account.head;
        let second = account.add_by_kit(&Device::new());
        assert_eq!(world.post(LINKS, &token, &second).await.code(), ErrorCode::Forbidden);
        account.head = head;
        world.post(LINKS, &token, &added).await.ok::<Appended>();
        account.change_device(device);
        let password = account.new_password(&world, &token, b"new").await;
        for _ in 0..2 {
            world.post(LINKS, &token, &password).await.ok::<Appended>();
        }
        // Its own change does not end it; the others that the old password opened have ended.
        assert_eq!(world.get("/v1/account/log", &token).await.ok::<LogPage>().head, account.head);
        account.sign_in(&world, b"new").await.ok().unwrap();
        account.open_session(&world, &account.device).await.ok::<Session>();
    }
}
