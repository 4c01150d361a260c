//! With the honest server back all devices converge, and nothing is lost.

use std::collections::BTreeMap;

use super::super::world::World;
use super::shown::{Shown, shown};
use super::{Verdict, after_each, evidence};

/// The rest of a play, and what must be true after it.
pub(crate) async fn at_the_end(world: &mut World) -> Verdict {
    world.plot.end();
    if world.plot.followed() > 0 {
        return Err("somebody went where a redirect pointed".to_owned());
    }
    let mut apart = evidence::met_the_others(world).await?;
    if apart && evidence::others_know(world).await {
        // Links of the victim name its branch: the others wait until it says that there are two.
        apart = !evidence::joins_the_others(world).await?;
        if apart {
            return goes_on_apart(world).await;
        }
    }
    let victim = world.victim;
    let stays = |number: &usize| !apart || *number != victim;
    for account in 0..world.accounts.len() {
        let staying: Vec<usize> = world.staying(account).into_iter().filter(stays).collect();
        for _ in 0..3 {
            for number in &staying {
                let synced = world.players[*number].device.sync().await;
                synced.map_err(|error| format!("device {number}: {error:?}"))?;
            }
        }
    }
    after_each(world, None, "").await?;
    for account in 0..world.accounts.len() {
        let staying: Vec<usize> = world.staying(account).into_iter().filter(stays).collect();
        let Some(first) = staying.first() else { continue };
        let truth = shown(&world.players[*first].device).await;
        for number in &staying {
            let device = &world.players[*number].device;
            if shown(device).await != truth {
                return Err(format!("devices {first} and {number} show different things"));
            }
            if device.client.status().await.unwrap().pending > 0 {
                return Err(format!("edits of device {number} wait"));
            }
        }
        nothing_is_lost(world, account, &staying, truth)?;
    }
    if apart { goes_on_apart(world).await } else { Ok(()) }
}

/// Everything that these devices wrote is there, but for what was purged.
pub(super) fn nothing_is_lost(
    world: &World,
    account: usize,
    staying: &[usize],
    truth: BTreeMap<lockstep_proto::ids::VaultId, Vec<Shown>>,
) -> Verdict {
    let items: BTreeMap<String, Vec<String>> =
        truth.into_values().flatten().map(|item| (item.title, item.passwords)).collect();
    let account = &world.accounts[account];
    for (title, (writer, values)) in &account.written {
        if account.purged.contains(title) {
            continue;
        }
        let Some(passwords) = items.get(title) else {
            if staying.contains(writer) {
                return Err(format!("{title} of device {writer} is lost"));
            }
            continue;
        };
        for (password, by) in values {
            if staying.contains(by) && !passwords.contains(password) {
                return Err(format!("{password} of {title} is lost"));
            }
        }
    }
    Ok(())
}

/// Who stays apart goes on, on its own branch, and has lost nothing of its own.
async fn goes_on_apart(world: &mut World) -> Verdict {
    let Some(branch) = world.plot.branch() else { return Ok(()) };
    let player = &mut world.players[world.victim];
    player.device.net.server().be_honest();
    player.device.net.server().switch_to(branch).unwrap();
    player.device.sync().await.map_err(|error| format!("on its own branch: {error:?}"))?;
    if player.device.client.status().await.unwrap().pending > 0 {
        return Err("edits wait on a branch of one's own".to_owned());
    }
    let truth = shown(&world.players[world.victim].device).await;
    nothing_is_lost(world, world.players[world.victim].account, &[world.victim], truth)
}
