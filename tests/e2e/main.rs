//! Stories of whole devices against the server that ships.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod binaries;
mod busy;
mod first_sync;
mod in_step;
mod interrupted;
mod kills;
mod offline;
mod restored;
mod tamper;
mod tampered;
mod vaults;

use lockstep_tests::{Papers, TestDevice, TestServer};

/// A server, and a device with an account and one vault.
async fn one_device() -> (TestServer, TestDevice, Papers) {
    one_device_on(TestServer::start().unwrap()).await
}

/// A server, and two devices of one account that are in step.
async fn two_devices() -> (TestServer, TestDevice, TestDevice) {
    two_devices_on(TestServer::start().unwrap()).await
}

async fn one_device_on(server: TestServer) -> (TestServer, TestDevice, Papers) {
    let (mut device, papers) = TestDevice::sign_up(&server).await.unwrap();
    device.client.create_vault("Home").await.unwrap();
    (server, device, papers)
}

async fn two_devices_on(server: TestServer) -> (TestServer, TestDevice, TestDevice) {
    let (server, mut first, papers) = one_device_on(server).await;
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    (server, first, second)
}

/// Both devices hold the same, and nothing waits.
async fn assert_in_step(first: &mut TestDevice, second: &mut TestDevice) {
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert_eq!(first.everything().await.unwrap(), second.everything().await.unwrap());
    let (one, two) = (first.client.status().await.unwrap(), second.client.status().await.unwrap());
    assert_eq!((one.pending, two.pending), (0, 0));
    assert_eq!(one.vaults[0].head, two.vaults[0].head);
}
