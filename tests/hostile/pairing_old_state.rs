//! A paired device that is shown an old state of a vault (as in A42): the device that let it in has seen more, and says
//! so in its link.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lockstep_client::ports::{Request, Response};
use lockstep_client::sync::{Missing, SyncError};
use lockstep_tests::{NewDevice, TestDevice, assert_in_step, one_device};

/// Answers by path.
type Past = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

fn is_vaults(request: &Request) -> bool {
    request.path.starts_with("/v1/vaults/")
}

#[tokio::test]
async fn a42_a_paired_device_that_is_shown_an_old_state_knows_it() {
    let (server, mut first, papers) = one_device().await;
    first.add("old").await.unwrap();
    first.sync().await.unwrap();
    // What the server says about the vault now, it says again later.
    let past = Past::default();
    let mut witness = TestDevice::sign_in(&server, &papers).await.unwrap();
    let notes = Arc::clone(&past);
    witness.net.server().answer(move |request, response| {
        if is_vaults(request) {
            notes.lock().unwrap().insert(request.path.clone(), response.body.clone());
        }
        response
    });
    witness.sync().await.unwrap();
    witness.sync().await.unwrap();

    let newer = first.add("newer").await.unwrap();
    first.sync().await.unwrap();
    let head = first.client.status().await.unwrap().vaults[0].head;
    let new = NewDevice::at(&server).unwrap();
    new.net().server().answer(move |request: &Request, response: Response| {
        match past.lock().unwrap().get(&request.path) {
            Some(body) if is_vaults(request) => Response { body: body.clone(), ..response },
            _ => response,
        }
    });
    let mut second = new.paired_with(&mut first).await.unwrap();
    for _ in 0..3 {
        let error = second.sync().await.unwrap_err();
        let what =
            matches!(error, SyncError::Withheld { what: Missing::Observed(claim), .. } if claim == head);
        assert!(what, "{error}");
        let again = second.restarted(second.store.snapshot()).await.unwrap();
        again.net.server().answer_as(second.net.server());
        second = again;
    }
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(newer, "title").await.unwrap(), "newer");
}
