//! Lost answers and power cuts.

use lockstep_client::client::Pending;
use lockstep_tests::{Fault, assert_in_step, is_commit, one_device, two_devices};

#[tokio::test]
async fn a_lost_acknowledgement_leads_to_no_duplicate_and_no_conflict() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    first.net.fail(is_commit, Fault::AnswerLost, 100);
    first.sync().await.unwrap_err();
    first.net.mend();
    let vault = first.vault().await.unwrap();
    let open = first.client.item(vault, item).await.unwrap().unwrap();
    assert_eq!(open.pending, Pending::InFlight);

    let report = first.sync().await.unwrap();
    assert_eq!((report.pushed, report.pulled, report.merged), (1, 0, 0));
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.everything().await.unwrap().len(), 1);
    let head = first.client.status().await.unwrap().vaults[0].head;
    first.sync().await.unwrap();
    assert_eq!(first.client.status().await.unwrap().vaults[0].head, head);
}

#[tokio::test]
async fn an_edit_made_after_a_lost_acknowledgement_stands_on_it() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    first.net.fail(is_commit, Fault::AnswerLost, 100);
    first.sync().await.unwrap_err();
    first.net.mend();
    first.set(item, "password", "later").await.unwrap();
    first.sync().await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_eq!(second.field(item, "password").await.unwrap(), "later");
    assert!(second.client.conflicts().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_commit_that_was_overtaken_is_merged_and_sent_anew() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;

    first.set(item, "username", "from the first").await.unwrap();
    first.net.fail(is_commit, Fault::Unreachable, 100);
    first.sync().await.unwrap_err();
    first.net.mend();
    first.set(item, "title", "Bank, renamed").await.unwrap();
    second.set(item, "password", "from the second").await.unwrap();
    second.sync().await.unwrap();
    let report = first.sync().await.unwrap();
    assert_eq!((report.merged, report.conflicts), (1, 0));
    assert_in_step(&mut first, &mut second).await;
    for device in [&first, &second] {
        assert_eq!(device.field(item, "title").await.unwrap(), "Bank, renamed");
        assert_eq!(device.field(item, "username").await.unwrap(), "from the first");
        assert_eq!(device.field(item, "password").await.unwrap(), "from the second");
    }
}

#[tokio::test]
async fn a_power_cut_at_any_local_write_of_a_push_loses_nothing() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    first.store.record();
    first.set(item, "password", "changed").await.unwrap();
    let added = first.add("Mail").await.unwrap();
    first.sync().await.unwrap();
    let states = first.store.take_history();
    assert!(states.len() > 4);
    for (number, state) in states.into_iter().enumerate().skip(2) {
        let mut again = first.restarted(state).await.unwrap();
        assert_eq!(again.field(item, "password").await.unwrap(), "changed", "state {number}");
        assert_eq!(again.field(added, "title").await.unwrap(), "Mail", "state {number}");
        let report = again.sync().await.unwrap();
        assert_eq!(report.conflicts, 0, "state {number}");
        assert_in_step(&mut again, &mut second).await;
        assert_eq!(second.everything().await.unwrap().len(), 2, "state {number}");
        assert!(second.client.conflicts().await.unwrap().is_empty(), "state {number}");
    }
}

#[tokio::test]
async fn a_power_cut_at_any_local_write_of_a_pull_goes_on() {
    let (_server, mut first, mut second) = two_devices().await;
    let item = first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    for number in 0..40 {
        first.add(&format!("item {number}")).await.unwrap();
    }
    first.set(item, "username", "from the first").await.unwrap();
    first.sync().await.unwrap();
    second.set(item, "password", "from the second").await.unwrap();
    second.store.record();
    second.sync().await.unwrap();
    for state in second.store.take_history() {
        let mut again = second.restarted(state).await.unwrap();
        assert_in_step(&mut again, &mut first).await;
        assert_eq!(first.field(item, "username").await.unwrap(), "from the first");
        assert_eq!(first.field(item, "password").await.unwrap(), "from the second");
        assert!(first.client.conflicts().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_sync_that_is_dropped_anywhere_goes_on_the_next_time() {
    let (_server, mut first, _papers) = one_device().await;
    for number in 0..3 {
        first.add(&format!("item {number}")).await.unwrap();
    }
    {
        let mut sync = Box::pin(first.client.sync());
        for _ in 0..3 {
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(sync.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            tokio::task::yield_now().await;
        }
    }
    first.sync().await.unwrap();
    assert_eq!(first.client.status().await.unwrap().pending, 0);
    assert_eq!(first.everything().await.unwrap().len(), 3);
}
