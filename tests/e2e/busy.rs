//! A vault that many devices write at once, all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockstep_tests::{TestDevice, is_commit, one_device};

const DEVICES: usize = 8;
const ENOUGH: usize = 160;

/// Writes one item after another, each in a commit of its own, until all devices together have written enough.
async fn write(mut device: TestDevice, together: Arc<AtomicUsize>) -> (TestDevice, usize) {
    let mut own = 0;
    while together.load(Ordering::SeqCst) < ENOUGH {
        device.add(&format!("item {own}")).await.unwrap();
        assert_eq!(device.sync().await.unwrap().pushed, 1);
        together.fetch_add(1, Ordering::SeqCst);
        own += 1;
    }
    (device, own)
}

fn attempts(device: &TestDevice) -> usize {
    device.net.server().seen().iter().filter(|request| is_commit(request)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_device_gets_on_and_two_attempts_are_enough() {
    let (server, first, papers) = one_device().await;
    let mut devices = vec![first];
    while devices.len() < DEVICES {
        let mut device = TestDevice::sign_in(&server, &papers).await.unwrap();
        device.sync().await.unwrap();
        devices.push(device);
    }
    for device in &mut devices {
        device.sync().await.unwrap();
    }
    let before: usize = devices.iter().map(attempts).sum();
    let together = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> =
        devices.into_iter().map(|device| tokio::spawn(write(device, together.clone()))).collect();
    let (mut devices, mut shares) = (Vec::new(), Vec::new());
    for task in tasks {
        let (device, own) = task.await.unwrap();
        devices.push(device);
        shares.push(own);
    }
    let commits: usize = shares.iter().sum();
    let tried = devices.iter().map(attempts).sum::<usize>() - before;
    assert!(tried <= 2 * commits, "{tried} attempts for {commits} commits, {shares:?}");
    let least = *shares.iter().min().unwrap();
    assert!(2 * least * DEVICES >= commits, "the slowest of {shares:?} has less than half of a mean share");

    for device in &mut devices {
        device.sync().await.unwrap();
    }
    let all = devices[0].everything().await.unwrap();
    assert_eq!(all.len(), commits);
    for device in &devices {
        assert_eq!(device.everything().await.unwrap(), all);
    }
}

#[tokio::test]
async fn who_was_overtaken_goes_on_with_what_the_refusal_brought() {
    let (server, first, papers) = one_device().await;
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    second.add("of the second").await.unwrap();
    let first = Arc::new(tokio::sync::Mutex::new(first));
    let mut rounds = 0;
    second.net.before(Box::new(move |request| {
        let overtakes = is_commit(request) && rounds < 2;
        rounds += usize::from(overtakes);
        let first = first.clone();
        Box::pin(async move {
            if overtakes {
                let mut first = first.lock().await;
                first.add("of the first").await.unwrap();
                first.sync().await.unwrap();
            }
        })
    }));
    let before = second.net.server().seen().len();
    let report = second.sync().await.unwrap();
    assert_eq!((report.pushed, report.pulled, report.merged), (1, 3, 0));
    let asked: Vec<_> = second.net.server().seen().into_iter().skip(before).collect();
    let commits = asked.iter().skip_while(|request| !is_commit(request));
    assert_eq!(commits.filter(|request| is_commit(request)).count(), 3);
    assert!(
        asked.iter().skip_while(|request| !is_commit(request)).all(is_commit),
        "something else was asked"
    );
    assert_eq!(second.everything().await.unwrap().len(), 3);
}
