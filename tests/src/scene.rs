//! The devices that most stories begin with.

use crate::{NewDevice, Papers, TestDevice, TestServer};

/// A server, and a device with an account and one vault.
pub async fn one_device() -> (TestServer, TestDevice, Papers) {
    one_device_on(TestServer::start().unwrap()).await
}

/// A server, and two devices of one account that are in step.
pub async fn two_devices() -> (TestServer, TestDevice, TestDevice) {
    two_devices_on(TestServer::start().unwrap()).await
}

/// [`one_device`] on a server that runs already.
pub async fn one_device_on(server: TestServer) -> (TestServer, TestDevice, Papers) {
    let (mut device, papers) = TestDevice::sign_up(&server).await.unwrap();
    device.client.create_vault("Home").await.unwrap();
    (server, device, papers)
}

/// [`two_devices`] on a server that runs already.
pub async fn two_devices_on(server: TestServer) -> (TestServer, TestDevice, TestDevice) {
    let (server, mut first, papers) = one_device_on(server).await;
    first.sync().await.unwrap();
    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    (server, first, second)
}

/// A server, and two devices of one account that are in step, the second one let in by the first.
pub async fn paired_devices() -> (TestServer, TestDevice, TestDevice) {
    let (server, mut first, _papers) = one_device().await;
    first.sync().await.unwrap();
    let mut second = NewDevice::at(&server).unwrap().paired_with(&mut first).await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    (server, first, second)
}

/// A server that runs already, three devices of one account that are in step and show one item, "Bank", and its papers.
pub async fn three_devices_on(server: TestServer) -> (TestServer, [TestDevice; 3], Papers) {
    let (server, mut first, papers) = Box::pin(one_device_on(server)).await;
    first.add("Bank").await.unwrap();
    first.sync().await.unwrap();
    let mut second = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    let mut third = Box::pin(TestDevice::sign_in(&server, &papers)).await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    assert_in_step(&mut first, &mut third).await;
    second.sync().await.unwrap();
    (server, [first, second, third], papers)
}

/// Both devices hold the same, and nothing waits.
///
/// # Panics
/// Where they do not.
pub async fn assert_in_step(first: &mut TestDevice, second: &mut TestDevice) {
    first.sync().await.unwrap();
    second.sync().await.unwrap();
    first.sync().await.unwrap();
    assert_eq!(first.everything().await.unwrap(), second.everything().await.unwrap());
    let (one, two) = (first.client.status().await.unwrap(), second.client.status().await.unwrap());
    assert_eq!((one.pending, two.pending), (0, 0));
    assert_eq!(one.vaults[0].head, two.vaults[0].head);
}
