//! What the time of answers tells: of a sign-in whether there is such an account and how good a guess was, of a
//! device's or a Recovery Key's proof whether there is such an account and device.
//!
//! `just bench-signin --samples 4000 --database sqlite`: in one process, without a network between, so that no
//! difference is hidden by noise that an attacker could average away. Kinds take turns in random order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
// Real time is what is measured.
#![allow(clippy::disallowed_methods)]

mod figures;
mod proofs;
#[allow(dead_code, unused_imports)]
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use actix_web::rt::System;
use lockstep_proto::api::signin::{SigninAnswer, SigninFinish, SigninStart};
use lockstep_proto::ids::AccountId;

use figures::{compare, median};
use proofs::Proofs;
use support::{Account, Backend, Login, World, random};

/// Attempts come back in this many seconds.
const REFILL_SECONDS: u64 = 30;
/// Where the owner gets in, and where somebody never did: at the first, limits ask less.
const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const AWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Right,
    Wrong,
    Unknown,
    UnknownToo,
    Locked,
    LockedUnknown,
    Device,
    UnknownDevice,
    DeviceOfNobody,
    DeviceOfNobodyToo,
    Sheet,
    SheetOfNobody,
    SheetOfNobodyToo,
}

const KINDS: [Kind; 6] =
    [Kind::Right, Kind::Wrong, Kind::Unknown, Kind::UnknownToo, Kind::Locked, Kind::LockedUnknown];

/// Nanoseconds by kind, of the first and of the last answer.
type Samples = BTreeMap<Kind, [Vec<f64>; 2]>;

struct Scene {
    world: World,
    account: Account,
    locked: Account,
    unknown: [AccountId; 3],
}

impl Scene {
    async fn new(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.move_to(HOME);
        let (account, locked) = (Account::sign_up(&world).await, Account::sign_up(&world).await);
        Self { world, account, locked, unknown: [random(), random(), random()].map(AccountId) }
    }

    fn account_id(&self, kind: Kind) -> AccountId {
        match kind {
            Kind::Right | Kind::Wrong => self.account.id,
            Kind::Unknown => self.unknown[0],
            Kind::UnknownToo => self.unknown[1],
            Kind::Locked => self.locked.id,
            _ => self.unknown[2],
        }
    }

    /// Lets two accounts run out of attempts, whatever came back to them.
    async fn lock(&self) {
        for kind in [Kind::Locked, Kind::LockedUnknown] {
            while self.start(kind, b"guess").await.0.is_some() {}
        }
    }

    /// What is needed to go on, unless it was refused, and the time until the answer.
    async fn start(&self, kind: Kind, password: &[u8]) -> (Option<(Login, SigninAnswer)>, f64) {
        self.world.move_to(if kind == Kind::Right { HOME } else { AWAY });
        let (login, ke1) = Login::start(password);
        let start = SigninStart { account_id: self.account_id(kind), ke1: ke1.into() };
        let began = Instant::now();
        let answer = self.world.post("/v1/signin/start", "", &start).await;
        let took = began.elapsed().as_nanos() as f64;
        (answer.status.is_success().then(|| (login, answer.ok())), took)
    }

    async fn sample(&self, kind: Kind, samples: &mut Samples) {
        let password = if kind == Kind::Right { self.account.password.clone() } else { b"guess".to_vec() };
        let [first, last] = samples.entry(kind).or_default();
        let (started, took) = self.start(kind, &password).await;
        first.push(took);
        let Some((login, answer)) = started else { return };
        let server_id = &self.world.server_id;
        let ke3 = login.finish(&password, &answer.ke2, &self.account_id(kind), server_id);
        let ke3 = ke3.unwrap_or(random::<64>().to_vec());
        let finish = SigninFinish { signin_id: answer.signin_id, ke3: ke3.into() };
        let began = Instant::now();
        let answer = self.world.post("/v1/signin/finish", "", &finish).await;
        last.push(began.elapsed().as_nanos() as f64);
        assert_eq!(answer.status.is_success(), kind == Kind::Right);
    }
}

async fn measure(backend: Backend, count: usize) -> Samples {
    let scene = Scene::new(backend).await;
    scene.lock().await;
    let proofs = Proofs::new(&scene.account);
    let mut samples = Samples::new();
    for _ in 0..count {
        let mut kinds = [&KINDS[..], &proofs::KINDS].concat();
        kinds.sort_by_cached_key(|_| random::<8>());
        for kind in kinds {
            if KINDS.contains(&kind) {
                scene.sample(kind, &mut samples).await;
            } else {
                scene.world.move_to(AWAY);
                proofs.sample(&scene.world, kind, &mut samples).await;
            }
        }
        scene.world.clock.advance_seconds(REFILL_SECONDS);
        scene.lock().await;
    }
    samples
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|given| given == name).map(|at| &arguments[at + 1]);
    let count = option("--samples").map_or(4_000, |count| count.parse().unwrap());
    let backend = match option("--database").map(String::as_str) {
        None | Some("sqlite") => Backend::Sqlite,
        Some("postgres") => Backend::Postgres,
        Some(other) => panic!("{other} is neither sqlite nor postgres"),
    };
    let samples = System::new().block_on(measure(backend, count));
    println!("{count} samples of each kind, {backend:?}, microseconds\n");
    println!("| kind | first answer, median | last answer, median |\n|---|---:|---:|");
    for (kind, [first, last]) in &samples {
        println!("| {kind:?} | {:.1} | {:.1} |", median(first), median(last));
    }
    println!(
        "\n| two kinds | answer | medians differ by | Welch's t | Mann-Whitney z | AUC |\n|---|---|---:|---:|---:|---:|"
    );
    let of_sign_ins = [
        (Kind::Wrong, Kind::Unknown),
        (Kind::Right, Kind::Wrong),
        (Kind::Locked, Kind::LockedUnknown),
        (Kind::Unknown, Kind::UnknownToo),
    ];
    for (one, other) in [&of_sign_ins[..], &proofs::PAIRS].concat() {
        for (index, answer) in ["first", "last"].into_iter().enumerate() {
            let pair = [&samples[&one][index], &samples[&other][index]];
            if pair.iter().all(|samples| !samples.is_empty()) {
                println!("| {one:?}, {other:?} | {answer} | {} |", compare(pair[0], pair[1]));
            }
        }
    }
}
