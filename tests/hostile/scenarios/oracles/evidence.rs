//! A device that was led to a branch of its own and meets the others' holds evidence, and nobody holds any otherwise.

use lockstep_client::account::AccountError;
use lockstep_client::proto::log::ForkEvidence;
use lockstep_client::sync::SyncError;

use super::super::world::World;
use super::Verdict;

/// Where nobody was led to a branch of its own, nobody holds evidence.
pub(super) async fn nobody_is_framed(world: &World) -> Verdict {
    if world.plot.branch().is_some() {
        return Ok(());
    }
    for (number, player) in world.players.iter().enumerate() {
        if !player.device.client.fork_evidence().await.unwrap().is_empty() {
            return Err(format!("device {number} holds evidence of a fork that never was"));
        }
    }
    Ok(())
}

/// The victim of a fork meets what the others have: it joins them, or it holds evidence and stays apart.
///
/// # Errors
/// When it refuses the others' branch and its evidence does not convince.
pub(super) async fn met_the_others(world: &mut World) -> Result<bool, String> {
    if world.plot.branch().is_none() || world.victim >= world.players.len() {
        return Ok(false);
    }
    let victim = &mut world.players[world.victim].device;
    let Err(error) = victim.sync().await else { return Ok(false) };
    let Some(log) = error.fork() else {
        // Its log is ahead of the others' by a removal that they can no more be given: that device went on writing there.
        let is_ahead = matches!(error, SyncError::Account(AccountError::Behind { .. }));
        let has_removed = world.players.iter().any(|player| player.removed.0);
        return match is_ahead && has_removed {
            true => Ok(true),
            false => Err(format!("the victim of a fork says {error:?}")),
        };
    };
    let kept = victim.client.fork_evidence().await.unwrap();
    let Some((_, bytes)) = kept.iter().find(|(of, _)| *of == log) else {
        return Err(format!("no evidence for {error}"));
    };
    convinces(bytes, victim.client.device_id())?;
    Ok(true)
}

/// Whether another device of the victim's account was told of its branch by the account's log.
pub(super) async fn others_know(world: &mut World) -> bool {
    let victim = world.victim;
    let account = world.players[victim].account;
    let mut know = false;
    for number in world.staying(account).into_iter().filter(|number| *number != victim) {
        let synced = world.players[number].device.sync().await;
        know |= synced.is_err_and(|error| error.fork().is_some());
    }
    know
}

/// The victim says that there are two histories, and joins them; `false` where both have keys of their own.
///
/// # Errors
/// When it may not, for any other reason.
pub(super) async fn joins_the_others(world: &mut World) -> Result<bool, String> {
    let Err(error) = world.players[world.victim].device.accept_histories().await else { return Ok(true) };
    match error.downcast_ref::<SyncError>() {
        Some(SyncError::NotAccepted { .. }) => Ok(false),
        _ => Err(format!("the victim may not join: {error:?}")),
    }
}

/// Whether evidence, read from its bytes alone, is of this device, and only as it is.
pub(super) fn convinces(bytes: &[u8], of: lockstep_proto::ids::DeviceId) -> Verdict {
    let verified =
        |bytes: &[u8]| ForkEvidence::from_bytes(bytes).ok().and_then(|evidence| evidence.verify().ok());
    let Some(proof) = verified(bytes) else { return Err("evidence that convinces nobody".to_owned()) };
    if proof.statement.device_id != of || proof.statement.held == proof.statement.served {
        return Err("evidence of something else".to_owned());
    }
    for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        if verified(&changed).is_some() {
            return Err(format!("evidence that convinces with byte {at} changed"));
        }
    }
    Ok(())
}
