//! Re-anchors: the server takes one only for what its own chain has.

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{AppendLinks, Appended};
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::Hash;
use lockstep_proto::log::{AccountLink, Anchor, Distrusted, LinkBody, LogHead, Reanchor, Signer, VaultHead};
use lockstep_proto::sign::Signed;

use crate::support::{Account, Backend, Vault, World, item};

const LINKS: &str = "/v1/account/links";

/// The link that accepts this, as the account's device signs it. The account stays where it is.
fn accepting(account: &mut Account, vault: &Vault, fork: LogHead, head: LogHead) -> AppendLinks {
    let before = (account.head, account.vaults.clone());
    account.vaults = vec![VaultHead { vault_id: vault.id, head }];
    let anchor = Anchor { vault_id: vault.id, fork, head, distrusted: Distrusted::default() };
    let key = account.device.key.clone();
    let body = LinkBody::Reanchor(Reanchor { vaults: vec![anchor] });
    let link: Bytes = account.link(Signer::Device(account.device.id()), &key, body);
    (account.head, account.vaults) = before;
    AppendLinks { links: vec![link], slots: Vec::new(), record: None }
}

#[actix_web::test]
async fn a_reanchor_names_commits_that_the_chain_has() {
    for backend in Backend::ALL {
        let world = World::start(backend).await;
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let mut vault = Vault::create(&world, &mut account, &token).await;
        let fork = vault.head;
        vault.push(&world, &account, &token, &[item(40)]).await;
        let middle = vault.head;
        vault.push(&world, &account, &token, &[item(40)]).await;
        let beside = |head: LogHead| LogHead { hash: Hash([9; 32]), ..head };
        let above = LogHead { seq: vault.head.seq.next(), hash: Hash([9; 32]) };
        for (fork, head) in [(fork, beside(middle)), (fork, above), (beside(fork), vault.head)] {
            let request = accepting(&mut account, &vault, fork, head);
            let refused = world.post(LINKS, &token, &request).await.problem();
            assert_eq!(refused.code, ErrorCode::HeadMissing);
            assert!(refused.detail.contains(&vault.id.to_string()), "{}", refused.detail);
            assert_eq!(account.state(&world).await.head(), account.head, "nothing is written");
        }
        // One at a time.
        let mut both = accepting(&mut account, &vault, fork, middle);
        let first = Signed::<AccountLink>::from_wire(&both.links[0]).unwrap();
        let before =
            std::mem::replace(&mut account.head, LogHead { seq: first.value().seq, hash: first.hash() });
        both.links.extend(accepting(&mut account, &vault, fork, middle).links);
        account.head = before;
        assert_eq!(world.post(LINKS, &token, &both).await.code(), ErrorCode::BadRequest);
        // Below the head, too: the chain may go on while its owner is asked.
        let request = accepting(&mut account, &vault, fork, middle);
        let appended: Appended = world.post(LINKS, &token, &request).await.ok();
        world.post(LINKS, &token, &request).await.ok::<Appended>();
        let state = account.state(&world).await;
        assert_eq!(state.head(), appended.head);
        assert_eq!(
            state.anchors(&vault.id).iter().map(|anchored| anchored.head).collect::<Vec<_>>(),
            [middle]
        );
    }
}
