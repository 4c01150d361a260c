//! Scripted scenarios against an adversary: three devices of one account do what people do, and one answer of the server, or
//! every answer of one device from some point on, is not the truth. After every step the [`oracles`] look at everything.
//!
//! Each scenario first passes against the honest server. Which answer is changed in which way is drawn from a seed, which
//! is printed; `LOCKSTEP_HOSTILE_SEED=N` repeats it, `LOCKSTEP_HOSTILE_RUNS=N` makes so many (`just deep`).

mod adversary;
mod oracles;
mod script;
mod world;

use adversary::{Attack, Dice};
use script::{SCENARIOS, Scenario};
use world::World;

/// Attacks that are tried in every run of the tests.
const RUNS: u64 = 120;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays a scenario; the answers that the victim got.
async fn play(base: &World, scenario: &Scenario, attack: Option<Attack>) -> usize {
    let mut world = base.copy().await;
    let at = attack.as_ref().map_or_else(|| "honest".to_owned(), |attack| format!("{attack:?}"));
    let answers = world.attack(attack);
    for (number, act) in scenario.acts.iter().enumerate() {
        let outcome = world.act(*act).await;
        assert!(outcome.is_ok() || at != "honest", "{}, act {number}: {outcome:?}", scenario.name);
        oracles::after_each(&mut world, &format!("{}, act {number}, {at}", scenario.name)).await;
    }
    let answered = answers();
    world.be_honest();
    oracles::at_the_end(&mut world, &format!("{}, at the end, {at}", scenario.name)).await;
    answered
}

#[tokio::test]
async fn every_scenario_passes_with_an_honest_server() {
    let base = Box::pin(World::start()).await;
    for scenario in SCENARIOS {
        assert!(Box::pin(play(&base, scenario, None)).await > 5, "{}", scenario.name);
    }
}

#[tokio::test]
async fn no_attack_that_is_drawn_gets_away_with_anything() {
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("LOCKSTEP_HOSTILE_SEED").unwrap_or_else(now);
    eprintln!("hostile scenarios: seed {seed}");
    let mut dice = Dice::new(seed);
    let base = Box::pin(World::start()).await;
    let mut points = Vec::new();
    for scenario in SCENARIOS {
        points.push(Box::pin(play(&base, scenario, None)).await);
    }
    for _ in 0..number("LOCKSTEP_HOSTILE_RUNS").unwrap_or(RUNS) {
        let chosen = dice.below(SCENARIOS.len());
        let attack = Attack::draw(&mut dice, points[chosen]);
        Box::pin(play(&base, &SCENARIOS[chosen], Some(attack))).await;
    }
}
