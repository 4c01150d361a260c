//! Crowds without a session against the real server: whatever they hold on to, an owner's commits go on, and the server stays
//! within its memory.
//!
//! `LOCKSTEP_CROWD_COMMITS` says how often the owner commits during each attack. How long that takes is printed and asserted
//! nowhere: it depends on the machine.
#![allow(clippy::print_stdout, reason = "figures are printed for DEEP.md")]
#![allow(clippy::disallowed_methods, reason = "figures are of real time")]

mod crowd;
mod process;

use std::time::{Duration, Instant};

use lockstep_tests::TestDevice;

use crowd::{Attack, Crowd};
use process::{Server, raise_descriptors};

/// What the issue of this test allows the server, in MiB.
const MEMORY: u64 = 128;

/// An owner with a vault, who writes all the time.
struct Owner {
    device: TestDevice,
    took: Vec<Duration>,
}

impl Owner {
    async fn sign_up(server: &Server) -> Self {
        let (mut device, _) = TestDevice::sign_up_at(server.url()).await.unwrap();
        device.client.create_vault("Home").await.unwrap();
        device.sync().await.unwrap();
        Self { device, took: Vec::new() }
    }

    /// Adds items and sends each: none may fail.
    async fn commit(&mut self) {
        for number in 0..commits() {
            self.device.add(&format!("item {number}")).await.unwrap();
            let begun = Instant::now();
            self.device.sync().await.unwrap();
            self.took.push(begun.elapsed());
        }
        assert_eq!(self.device.client.status().await.unwrap().pending, 0);
    }

    /// The median, the 99th percentile and the longest, in milliseconds.
    fn figures(&mut self) -> [u128; 3] {
        self.took.sort_unstable();
        let at = |part: usize| self.took[(self.took.len() * part / 100).min(self.took.len() - 1)].as_millis();
        [at(50), at(99), at(100)]
    }
}

const VARIABLE: &str = "LOCKSTEP_CROWD_COMMITS";

fn commits() -> usize {
    std::env::var(VARIABLE).map_or(20, |text| text.parse().unwrap())
}

fn is_long() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// An owner commits while a crowd does this, and the server is asked whether it is well.
async fn withstands(server: &Server, attack: Attack, size: usize) {
    let mut owner = Owner::sign_up(server).await;
    let crowd = Crowd::gather(server.address(), attack, size).await;
    owner.commit().await;
    server.is_ready().await;
    // Somebody who comes anew gets in, too. A crowd that comes back thousands of times a second, as in a long run, may cost a
    // connection without a session its place before its request is answered: ARCHITECTURE.md says so.
    if !is_long() {
        Owner::sign_up(server).await.commit().await;
    }
    let tried = crowd.disperse().await;
    let (memory, [median, p99, most]) = (server.memory(), owner.figures());
    println!(
        "{attack:?}: {size} at once, {tried} connections; {} commits, {median} ms median, {p99} ms p99, {most} ms at \
         most; {memory} MiB",
        owner.took.len()
    );
    assert!(memory < MEMORY, "{memory} MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a50_crowds_take_neither_memory_nor_places_from_an_owner() {
    raise_descriptors();
    let server = Server::start(None);
    for attack in Attack::ALL {
        withstands(&server, attack, 2_000).await;
    }
    server.said_nothing_of("Too many open files");
    server.said_nothing_of("stream error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a50_few_descriptors_are_enough_for_an_owner_beside_a_crowd() {
    raise_descriptors();
    let server = Server::start(Some(256));
    for attack in [Attack::OneByte, Attack::SlowBody] {
        withstands(&server, attack, 700).await;
    }
    server.said_nothing_of("Too many open files");
}
