//! What a device asks for after something sealed did not open tells nothing of what was wrong with it.

use std::collections::BTreeMap;

use super::attack::{Attack, Family};
use super::script::{Act, SCENARIOS, Scenario};
use super::values::PLACES;
use super::world::World;
use super::{adversary, play};

#[tokio::test]
async fn requests_after_a_failure_are_the_same_whatever_failed() {
    let mut tried = BTreeMap::new();
    // Vaults are synced in the order of their ids, which is another one in every run.
    let has_one_vault = |scenario: &&Scenario| {
        scenario.cast.len() == 1 && !scenario.acts.iter().any(|act| matches!(act, Act::NewVault(_)))
    };
    for scenario in SCENARIOS.iter().filter(has_one_vault) {
        let base = Box::pin(World::start(&scenario.cast)).await;
        let honest = Box::pin(play(&base, scenario, None)).await;
        for (at, request) in honest.plot.requests_of(scenario.victim).iter().enumerate() {
            let shape = adversary::shape(&request.path);
            if tried.contains_key(&shape) || !honest.plot.is_sealed(at) {
                continue;
            }
            let mut first = None;
            for place in 0..PLACES as u64 {
                let attack = Attack { family: Family::Seal, at, lasting: false, seed: place };
                let world = Box::pin(play(&base, scenario, Some(attack))).await;
                let asked = asked(&world, at);
                let first = first.get_or_insert_with(|| asked.clone());
                assert_eq!(asked, *first, "{}: answer {at} to {shape}, place {place}", scenario.name);
            }
            tried.insert(shape, at);
        }
    }
    assert!(tried.len() > 3, "{tried:?}");
}

/// What the victim asked for after this answer, but for what is random in every run.
fn asked(world: &World, at: usize) -> Vec<(String, usize)> {
    let requests = world.plot.requests_of(world.victim);
    let after = requests.into_iter().skip(at);
    after.map(|request| (adversary::shape(&request.path), request.body.len())).collect()
}
