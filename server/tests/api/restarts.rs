//! What survives a restart: everything that was answered.

use lockstep_domain::ServerSecrets;
use lockstep_domain::services::SignupRule;
use lockstep_proto::api::items::ItemPage;
use lockstep_server::SystemRandom;

use crate::support::{Account, Backend, Place, Vault, World, item, open};

#[actix_web::test]
async fn a_vault_goes_on_after_a_restart() {
    for backend in Backend::DURABLE {
        let place = Place::new();
        let secrets = ServerSecrets::make(&SystemRandom);
        let world = World::on(open(backend, &place), &secrets, SignupRule::Closed, place.clone()).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        vault.push(&world, &account, &token, &[item(300)]).await;
        drop(world);

        let world = World::on(open(backend, &place), &secrets, SignupRule::Closed, place.clone()).await;
        let items: ItemPage = world.get(&vault.path("items"), &token).await.ok();
        assert_eq!((items.head, items.items.len()), (vault.head, 1));
        account.sign_in(&world, &account.password).await.ok().unwrap();
        let token = account.token(&world).await;
        vault.push(&world, &account, &token, &[item(300)]).await;
    }
}
