//! What is planted on a device never appears in anything that it sends, whatever the server does.

use lockstep_tests::{TestDevice, asks_commits, one_device};

use super::{Hit, numbered};

const PLANTED: [&str; 3] = ["canary-title-7f3a", "canary-password-91c2", "canary-vault-55de"];

fn assert_silent(device: &TestDevice, secrets: &[Vec<u8>]) {
    for request in device.net.server().seen() {
        let sent = [request.path.as_bytes(), &request.body].concat();
        for secret in secrets {
            assert!(!sent.windows(secret.len()).any(|window| window == secret), "{}", request.path);
        }
    }
}

#[tokio::test]
async fn a32_nothing_secret_is_ever_sent() {
    let (server, mut first, papers) = one_device().await;
    let mut secrets = papers.expose_secrets();
    secrets.extend(PLANTED.map(|planted| planted.as_bytes().to_vec()));
    secrets.push(first.client.unlocked().expose_lrk().to_vec());
    let vault = first.vault().await.unwrap();
    first.client.rename_vault(vault, PLANTED[2]).await.unwrap();
    let item = first.add(PLANTED[0]).await.unwrap();
    first.set(item, "password", PLANTED[1]).await.unwrap();
    first.sync().await.unwrap();

    let mut second = TestDevice::sign_in(&server, &papers).await.unwrap();
    second.sync().await.unwrap();
    second.set(item, "username", PLANTED[1]).await.unwrap();
    for number in 0..20 {
        second.net.server().answer(numbered(asks_commits, number, Hit::default()));
        drop(second.sync().await);
    }
    second.net.server().be_honest();
    second.sync().await.unwrap();
    assert_silent(&first, &secrets);
    assert_silent(&second, &secrets);
}
