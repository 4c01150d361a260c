//! The model: several devices do anything, the network and the devices fail in any way, and nothing is lost.
//!
//! Devices are the client core with its real cryptography, the server is the one that ships. What happens is a list of
//! [`step::Step`]s drawn from a seed; afterwards everything is mended, all sync, and [`check`] compares what they hold
//! with what [`ledger`] has noted from outside: every document is the same byte for byte on every device, every
//! acknowledged value is in its document or was dropped by a stated bound, the conflicts shown are exactly those that
//! were made, an item is in the trash iff whoever put it there had seen all of it, nothing is made up or there twice,
//! and no device ever signed two commits on one head.
//!
//! A run that fails is made shorter until no step can be left out, and printed. Seeds are fixed, and one is new each
//! time: `LOCKSTEP_MODEL_SEED=N` repeats it, `LOCKSTEP_MODEL_RUNS=N` makes so many new ones (`just deep`).

mod check;
mod ledger;
mod step;
mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::step::{Step, steps};
use self::world::World;

/// Steps of one run.
const STEPS: usize = 1_250;
/// Runs that are the same every time.
const SEEDS: [u64; 7] = [1, 2, 3, 4, 5, 6, 7];
/// How long a failing run is tried with fewer or simpler steps, in milliseconds.
const SHRINKING_MS: u32 = 60_000;

fn run(steps: &[Step]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::start().await;
        for (number, step) in steps.iter().enumerate() {
            world.act(step).await.map_err(|error| format!("step {number}, {step:?}: {error}"))?;
        }
        world.settle().await?;
        check::everything(&world).await
    })
}

fn model(seed: u64) {
    eprintln!("model: seed {seed}, {STEPS} steps");
    let config = Config {
        cases: 1,
        max_shrink_iters: u32::MAX,
        max_shrink_time: SHRINKING_MS,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&steps(STEPS), |steps| run(&steps).map_err(proptest::test_runner::TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            panic!("seed {seed}: {reason}\n{} steps: {steps:#?}", steps.len())
        }
        Err(other) => panic!("seed {seed}: {other}"),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn nothing_is_lost_in_runs_that_are_known() {
    for seed in SEEDS {
        model(seed);
    }
}

#[test]
fn nothing_is_lost_in_runs_that_are_new() {
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    for _ in 0..number("LOCKSTEP_MODEL_RUNS").unwrap_or(1) {
        model(number("LOCKSTEP_MODEL_SEED").unwrap_or_else(now));
    }
}
