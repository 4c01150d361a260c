//! The server is killed at random moments under load: whatever it acknowledged is there, and nothing is there by half.
//!
//! `LOCKSTEP_CRASH_ROUNDS` says how many rounds there are for each database, `LOCKSTEP_CRASH_SEED` where the moments come
//! from; both have values of their own.
#![allow(clippy::print_stdout, reason = "a seed, and what it led to, is printed to be tried again")]

mod chain;
mod dice;
mod load;
mod process;
mod victim;

use std::sync::Arc;

use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::vaults::PostCommit;
use lockstep_proto::log::{Entry, LogHead};
use lockstep_store::postgres::testing::TestDatabase;
use lockstep_tests::TestDevice;

use chain::{Chain, Reader};
use dice::Dice;
use load::{Harm, Load, Told, Writer};
use process::Server;
pub(crate) use victim::Victim;

/// Accounts with one device and one vault each; one more account has two devices.
const ALONE: usize = 4;
/// A round's harm comes at one of so many answers.
const MOMENTS: usize = 40;
/// Where the server lives on or again, so many answers follow.
const AFTERWARDS: usize = 15;

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Blow {
    /// SIGKILL, then a new start.
    Kill,
    /// SIGKILL; something that is no part of the test starts it again, maybe before every device has noticed.
    KillSupervised,
    /// All of its sessions with PostgreSQL end; it lives on.
    CutSessions,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_sqlite_survives_kills_at_random_moments() {
    survive(Server::start(None), &[Blow::Kill]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_on_postgres_survives_kills_and_lost_sessions_at_random_moments() {
    survive(Server::start(Some(TestDatabase::make())), &[Blow::Kill, Blow::CutSessions]).await;
}

/// Rounds of blows against a server on which anybody may sign up.
pub(crate) async fn survive(server: impl Victim, blows: &[Blow]) {
    let (rounds, seed) = (variable("LOCKSTEP_CRASH_ROUNDS", 3), variable("LOCKSTEP_CRASH_SEED", 1));
    let server: Arc<dyn Victim> = Arc::new(server);
    let mut writers = writers(&*server).await;
    let mut dice = Dice::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    for round in 0..rounds {
        let blow = blows[round as usize % blows.len()];
        let at = 1 + dice.roll(MOMENTS);
        println!("seed {seed}, round {round}: {blow:?} at answer {at}");
        writers = strike(&server, writers, blow, at).await;
    }
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

async fn writers(server: &dyn Victim) -> Vec<Writer> {
    let mut devices = Vec::new();
    for _ in 0..=ALONE {
        let (mut device, papers) = TestDevice::sign_up_at(server.url()).await.unwrap();
        device.client.create_vault("Home").await.unwrap();
        device.sync().await.unwrap();
        devices.push((device, papers));
    }
    let mut second = TestDevice::sign_in_at(server.url(), &devices[0].1).await.unwrap();
    second.sync().await.unwrap();
    let all = devices.into_iter().map(|(device, _)| device).chain([second]);
    all.map(|device| Writer { device, added: Vec::new() }).collect()
}

/// One round. Devices start anew in each, as their sessions do.
async fn strike(server: &Arc<dyn Victim>, writers: Vec<Writer>, blow: Blow, at: usize) -> Vec<Writer> {
    let target = server.clone();
    let harm = match blow {
        Blow::Kill => Harm { at, end: usize::MAX, act: Box::new(move || target.kill()) },
        Blow::KillSupervised => Harm { at, end: at + AFTERWARDS, act: Box::new(move || target.kill()) },
        Blow::CutSessions => Harm { at, end: at + AFTERWARDS, act: Box::new(move || target.cut_sessions()) },
    };
    let load = Load::new(harm);
    let mut ready = Vec::new();
    for writer in writers {
        let mut device = writer.device.restarted(writer.device.store.snapshot()).await.unwrap();
        // Opens a session, which outlives the server's process.
        device.sync().await.unwrap();
        load.watch(&device);
        ready.push(Writer { device, ..writer });
    }
    let writing: Vec<_> = ready.into_iter().map(|writer| tokio::spawn(writer.write(load.clone()))).collect();
    let mut writers = Vec::new();
    for writer in writing {
        let writer = writer.await.unwrap();
        // The harm is done; no answer to come does it again.
        writer.device.net.server().be_honest();
        writers.push(writer);
    }
    if blow != Blow::CutSessions {
        server.start_again();
    }
    let told = load.take_told();
    assert!(told.count() >= at);
    for writer in &writers {
        assert_whole(&**server, writer, &told).await;
    }
    assert_goes_on(&**server, &mut writers).await;
    writers
}

/// Everything that was acknowledged is in a chain that verifies; what was not is there whole or not at all.
async fn assert_whole(server: &dyn Victim, writer: &Writer, told: &Told) {
    let reader = Reader::of(&writer.device, server.url()).await;
    let chain = reader.chain().await;
    reader.items(&chain).await;
    let vault_id = writer.device.vault().await.unwrap();
    for head in told.acknowledged.get(&vault_id).into_iter().flatten() {
        assert!(chain.contains(head), "{head:?} was acknowledged and is gone");
    }
    let mut head = *chain.heads.last().unwrap();
    for commit in told.unanswered(&writer.device) {
        head = assert_answered(&reader, &chain, head, &commit).await;
    }
    let chain = reader.chain().await;
    reader.items(&chain).await;
    assert_eq!(chain.heads.last(), Some(&head));
}

/// The same bytes again are answered by what the chain says, and the head is this one then.
async fn assert_answered(reader: &Reader, chain: &Chain, head: LogHead, commit: &PostCommit) -> LogHead {
    let entry = Entry::from_wire(&commit.commit, &commit.body).unwrap();
    let (value, sent) = (entry.commit.value(), entry.commit.value().head(entry.commit.hash()));
    let answer = reader.resend(commit).await;
    if chain.contains(&sent) {
        assert_eq!(answer.unwrap().head, sent);
        println!("  {} was there without an answer", sent.seq);
        head
    } else if value.prev_hash == head.hash {
        assert_eq!(answer.unwrap().head, sent);
        println!("  {} was not there", sent.seq);
        sent
    } else {
        assert_eq!(answer.unwrap_err().code(), Some(ErrorCode::HeadMoved));
        head
    }
}

/// Every device gets in step, and every item that anybody added is on the server.
async fn assert_goes_on(server: &dyn Victim, writers: &mut [Writer]) {
    for _ in 0..2 {
        for writer in &mut *writers {
            writer.device.sync().await.unwrap();
        }
    }
    for writer in writers {
        assert_eq!(writer.device.client.status().await.unwrap().pending, 0);
        let reader = Reader::of(&writer.device, server.url()).await;
        let items = reader.items(&reader.chain().await).await;
        assert!(writer.added.iter().all(|added| items.contains(added)));
    }
}
