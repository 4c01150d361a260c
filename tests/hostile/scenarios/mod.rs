//! Scripted scenarios against an adversary: one to three accounts with one to four devices each do what people do, and one
//! answer of the server, or every answer of one device from some point on, is not the truth. After every step the
//! [`oracles`] look at everything.
//!
//! Each scenario first passes against the honest server. Then a walk changes the answers that the victim gets: in every
//! run of the tests every third one at least, in one family of changes after the other, with `LOCKSTEP_HOSTILE_WALK=N` each of
//! them in so many families, 18 are all. Further attacks and scripts are drawn from a seed, which is printed;
//! `LOCKSTEP_HOSTILE_SEED=N` repeats it, `LOCKSTEP_HOSTILE_RUNS=N` makes so many (`just deep`).

mod acts;
mod adversary;
mod attack;
pub(crate) mod dice;
mod keyring;
mod logged;
mod needles;
mod oracles;
mod requests;
mod script;
mod sealed;
mod values;
mod wire;
mod world;

use attack::{Attack, Family};
use dice::Dice;
use lockstep_client::account::SecurityEvent;
use script::{SCENARIOS, Scenario};
use world::World;

/// Attacks on scripts that are drawn, in every run of the tests.
const RUNS: u64 = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What everything drawn follows from.
pub(crate) fn seed() -> u64 {
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    number("LOCKSTEP_HOSTILE_SEED").unwrap_or_else(now)
}

/// Plays a scenario; the world as it is then.
async fn play(base: &World, scenario: &Scenario, attack: Option<Attack>) -> World {
    let mut world = Box::pin(base.copy(scenario.victim, attack)).await;
    Box::pin(world.call_a_witness(base)).await;
    let name = &scenario.name;
    let how = attack.map_or_else(|| "honest".to_owned(), |attack| format!("{attack:?}"));
    for (number, act) in scenario.acts.iter().enumerate() {
        let outcome = Box::pin(world.act(*act)).await;
        let said = outcome.as_ref().err().map(|error| format!("{error:?}")).unwrap_or_default();
        let gone = act.by().and_then(|by| world.players.get(by)).is_some_and(|player| player.removed.1);
        assert!(said.is_empty() || attack.is_some() || gone, "{name}, act {number}: {said}");
        let verdict = Box::pin(oracles::after_each(&mut world, Some(*act), &said)).await;
        verdict.unwrap_or_else(|what| panic!("{name}, act {number}, {how}: {what}"));
    }
    let verdict = Box::pin(oracles::at_the_end(&mut world)).await;
    verdict.unwrap_or_else(|what| panic!("{name}, at the end, {how}: {what}"));
    world
}

/// How many answers the victim of a scenario gets from the honest server.
async fn answers(base: &World, scenario: &Scenario) -> usize {
    let world = Box::pin(play(base, scenario, None)).await;
    assert!(world.plot.answered() > 5, "{}", scenario.name);
    world.plot.answered()
}

#[tokio::test]
async fn every_scenario_passes_with_an_honest_server() {
    let mut opened = std::collections::BTreeMap::new();
    for scenario in SCENARIOS {
        let base = Box::pin(World::start(&scenario.cast)).await;
        let world = Box::pin(play(&base, scenario, None)).await;
        assert!(world.needles.len() > 20, "{}", world.needles.len());
        for (kind, count) in world.search.opened {
            *opened.entry(kind).or_insert(0) += count;
        }
    }
    // The contexts in which the adversary tries its keys are those in which the owners' keys open.
    use lockstep_proto::wrap::SlotKind::{PrevArk, SecretKey, Uek, VaultKey};
    assert!([PrevArk, SecretKey, Uek, VaultKey].iter().all(|kind| opened[kind] > 5), "{opened:?}");
}

/// Changes every `stride`-th answer to the victims of these scenarios, each in `rounds` families; all have their turn.
async fn walk(which: fn(&Scenario) -> bool, rounds: usize, stride: usize) {
    let (mut turn, mut plays) = (0, 0);
    for (number, scenario) in SCENARIOS.iter().enumerate().filter(|(_, scenario)| which(scenario)) {
        let base = Box::pin(World::start(&scenario.cast)).await;
        let answers = Box::pin(answers(&base, scenario)).await;
        for at in (number % stride..answers).step_by(stride) {
            for round in 0..rounds {
                let family = Family::ALL[(turn + round) % Family::ALL.len()];
                let attack = Attack { family, at, lasting: turn % 4 == 3, seed: (at * 31 + round) as u64 };
                Box::pin(play(&base, scenario, Some(attack))).await;
                plays += 1;
            }
            turn += 1;
        }
    }
    eprintln!("hostile scenarios: {plays} changes of answers, {turn} answers");
}

/// Families for each answer, and how many answers are passed over.
fn extent() -> (usize, usize) {
    number("LOCKSTEP_HOSTILE_WALK").map_or((1, 3), |rounds| (rounds as usize, 1))
}

#[tokio::test]
async fn no_change_of_any_answer_to_one_account_gets_away() {
    let (rounds, stride) = extent();
    Box::pin(walk(|scenario| scenario.cast.len() == 1, rounds, stride)).await;
}

#[tokio::test]
async fn no_change_of_any_answer_among_several_accounts_gets_away() {
    let (rounds, _) = extent();
    Box::pin(walk(|scenario| scenario.cast.len() > 1, rounds, 1)).await;
}

#[tokio::test]
async fn no_attack_that_is_drawn_gets_away_with_anything() {
    let seed = seed();
    eprintln!("hostile scenarios: seed {seed}");
    let mut dice = Dice::new(seed);
    let runs = number("LOCKSTEP_HOSTILE_RUNS").unwrap_or(RUNS);
    let mut run = 0;
    while run < runs {
        let scenario = script::draw(&mut dice);
        let base = Box::pin(World::start(&scenario.cast)).await;
        let answers = Box::pin(play(&base, &scenario, None)).await.plot.answered();
        for _ in 0..5 {
            Box::pin(play(&base, &scenario, Some(Attack::draw(&mut dice, answers)))).await;
            run += 1;
        }
    }
}

/// The victim's links on its branch name the heads there: once it is back, its fellows know of the fork, too.
#[tokio::test]
async fn a_branch_that_links_name_becomes_one_with_the_others() {
    use script::Act::{Edit, NewVault, Sync};
    let acts = [Edit(0), Sync(0), NewVault(0), Sync(0), Edit(1), Sync(1)];
    let scenario =
        Scenario { name: "named branch".into(), cast: vec![3].into(), victim: 0, acts: acts.to_vec().into() };
    let base = Box::pin(World::start(&scenario.cast)).await;
    let attack = Attack { family: Family::Fork, at: 1, lasting: true, seed: 1 };
    let world = Box::pin(play(&base, &scenario, Some(attack))).await;
    for number in world.staying(0) {
        let events = world.players[number].device.client.security_events().await.unwrap();
        let is_joined = |event: &SecurityEvent| matches!(event, SecurityEvent::HistoryAccepted { .. });
        assert!(events.iter().any(|noted| is_joined(&noted.event)), "device {number}");
    }
}
