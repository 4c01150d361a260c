//! Nothing sealed that was sent opens with a key of the adversary's.

use lockstep_client::ports::Request;

use super::super::keyring::opened_by;
use super::super::sealed::Sealed;
use super::super::world::World;
use super::Verdict;

/// Tries every key on everything sealed in these requests. What the account's own keys open is looked for from then on.
pub(super) fn look(world: &mut World, requests: &[Request]) -> Verdict {
    let arks: Vec<_> = world.arks.values().collect();
    for request in requests {
        // What is sent again is sent again byte for byte.
        if !world.search.sent.insert((request.path.clone(), request.body.clone())) {
            continue;
        }
        for sealed in world.search.places.sealed(request) {
            if let Some(kind) = world.plot.keys.opens(&sealed) {
                return Err(format!("{}: the adversary's {kind} opens what was sent", request.path));
            }
            let Sealed::Slot(bytes, contexts) = &sealed else { continue };
            let Some(context) = contexts.first() else {
                return Err(format!("{}: a slot that no link names", request.path));
            };
            if let Some(opened) = opened_by(&arks, bytes, contexts) {
                *world.search.opened.entry(context.slot).or_default() += 1;
                world.needles.add(&opened);
            }
        }
    }
    Ok(())
}
