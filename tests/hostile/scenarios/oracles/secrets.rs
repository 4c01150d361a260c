//! Nothing planted and no key can be read in anything that leaves a device or that is kept anywhere.

use lockstep_client::ports::Request;
use lockstep_crypto::keys::Ark;
use lockstep_tests::PASSWORD;

use super::super::logged;
use super::super::world::World;
use super::Verdict;

/// Adds the keys that the devices hold now to what is looked for.
pub(super) async fn gather(world: &mut World) {
    let mut secrets = vec![PASSWORD.as_bytes().to_vec()];
    for account in &world.accounts {
        secrets.extend(account.papers.iter().flat_map(|papers| papers.expose_secrets()));
    }
    for player in &world.players {
        let unlocked = player.device.client.unlocked();
        secrets.extend([unlocked.expose_lrk().to_vec(), unlocked.ark().expose_bytes().to_vec()]);
        secrets.extend(player.device.papers(PASSWORD).await.unwrap().expose_secrets());
        let ark = *unlocked.ark().expose_bytes();
        world.arks.insert(ark, Ark::from_bytes(ark));
    }
    for secret in secrets {
        let without_dashes: Vec<u8> = secret.iter().copied().filter(|byte| *byte != b'-').collect();
        world.needles.add(&without_dashes);
        world.needles.add(&secret);
    }
}

/// Looks through what was sent, written to a device or the server, and logged since the last time, and at what an act said.
pub(super) fn look(world: &mut World, requests: &[Request], outcome: &str) -> Verdict {
    let needles = &world.needles;
    let found = |what: &str, bytes: &[u8]| match needles.found_in(bytes) {
        Some(needle) => Err(format!("{what} shows {}", needle.escape_ascii())),
        None => Ok(()),
    };
    for Request { path, token, body, .. } in requests {
        found(path, path.as_bytes())?;
        found(path, token.as_deref().unwrap_or_default().as_bytes())?;
        found(path, body)?;
    }
    for (number, player) in world.players.iter_mut().enumerate() {
        let written = player.device.store.take_written();
        player.has_changed |= !written.is_empty();
        for bytes in written {
            found(&format!("the store of device {number}"), &bytes)?;
        }
    }
    for value in world.server.state().unwrap().values() {
        let start = value[..value.len().min(96)].to_vec();
        let mark = [&start[..], &value[value.len().saturating_sub(32)..]].concat();
        if world.search.stored.insert((value.len(), mark)) {
            found("the server's store", &value)?;
        }
    }
    let lines = logged::since(world.search.logged);
    world.search.logged += lines.len();
    found("a log", &lines)?;
    found("what an act said", outcome.as_bytes())
}
