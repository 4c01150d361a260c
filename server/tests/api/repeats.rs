//! The same bytes again, one after the other or all at once: one effect, and the same answer to all.

use std::rc::Rc;

use actix_web::rt::spawn;
use lockstep_domain::limits::RequestRates;
use lockstep_proto::api::account::{AppendLinks, Appended, LogPage};
use lockstep_proto::api::signup::SignupDone;
use lockstep_proto::api::vaults::{CommitPage, Committed};
use lockstep_proto::log::{DeviceAdd, Enrolment, LinkBody, Signer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::support::{Account, Backend, Device, Vault, World, item};

const TIMES: usize = 24;

/// Sends one request many times at once, then once more; gives the answer that all must have.
async fn same<T, A>(world: &Rc<World>, path: &str, token: &str, body: &T) -> A
where
    T: Serialize + Clone + 'static,
    A: DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let sent: Vec<_> = (0..TIMES)
        .map(|_| {
            let (world, path, token, body) = (world.clone(), path.to_owned(), token.to_owned(), body.clone());
            spawn(async move { world.post(&path, &token, &body).await })
        })
        .collect();
    let last: A = {
        let mut answers = Vec::new();
        for answer in sent {
            answers.push(answer.await.unwrap().ok::<A>());
        }
        let last = world.post(path, token, body).await.ok();
        assert!(answers.iter().all(|answer| *answer == last), "{path}: {answers:?}");
        last
    };
    last
}

#[actix_web::test]
async fn every_write_sent_many_times_at_once_happens_once() {
    for backend in Backend::ALL {
        let world = Rc::new(World::limited(backend, RequestRates::UNLIMITED).await);
        let mut account = Account::prepare(&world, None).await.ok().unwrap();
        let done: SignupDone = same(&world, "/v1/signup/finish", "", &account.signup).await;
        assert_eq!((done.account_id, done.head), (account.id, account.head));
        let token = account.token(&world).await;

        let (vault, create) = Vault::genesis(&account);
        let created: Committed = same(&world, "/v1/vaults", &token, &create).await;
        assert_eq!((created.vault_id, created.head), (vault.id, vault.head));
        account.link_vault(&world, &token, vault.id, vault.head).await;

        let (after, commit) = vault.write(&account, &[item(40), item(50)]);
        let committed: Committed = same(&world, &vault.path("commits"), &token, &commit).await;
        assert_eq!(committed.head, after.head);

        let body = LinkBody::DeviceAdd(DeviceAdd { keys: Device::new().keys, how: Enrolment::Pairing });
        let key = account.device.key.clone();
        let link = account.link(Signer::Device(account.device.id()), &key, body);
        let links = AppendLinks { links: vec![link], slots: Vec::new(), record: None };
        let appended: Appended = same(&world, "/v1/account/links", &token, &links).await;
        assert_eq!(appended.head, account.head);

        let log: LogPage = world.get("/v1/account/log", &token).await.ok();
        assert_eq!((log.links.len(), log.head), (4, account.head));
        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!((page.commits.len(), page.head), (2, after.head));
        // Room was taken once.
        assert_eq!(page.room, committed.room);
    }
}

#[actix_web::test]
async fn of_many_commits_on_one_head_one_is_accepted_and_the_others_learn_the_head() {
    for backend in Backend::ALL {
        let world = Rc::new(World::start(backend).await);
        let mut account = Account::sign_up(&world).await;
        let token = account.token(&world).await;
        let vault = Vault::create(&world, &mut account, &token).await;
        let commits: Vec<_> = (0..TIMES).map(|_| vault.write(&account, &[item(30)])).collect();
        let sent: Vec<_> = commits
            .iter()
            .map(|(_, commit)| {
                let (world, path, token) = (world.clone(), vault.path("commits"), token.clone());
                let commit = commit.clone();
                spawn(async move { world.post(&path, &token, &commit).await })
            })
            .collect();
        let mut answers = Vec::new();
        for answer in sent {
            answers.push(answer.await.unwrap());
        }
        let page: CommitPage = world.get(&vault.path("commits"), &token).await.ok();
        assert_eq!(page.head.seq.0, 1);
        for ((after, _), answer) in commits.iter().zip(answers) {
            if after.head == page.head {
                assert_eq!(answer.ok::<Committed>().head, page.head);
            } else {
                assert_eq!(answer.problem().head, Some(page.head));
            }
        }
    }
}
