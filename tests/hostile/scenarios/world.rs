//! One to three accounts on the server that ships, at a time that the acts set, and what was planted and written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_client::ports::Clock as _;
use lockstep_crypto::keys::Ark;
use lockstep_proto::ids::VaultId;
use lockstep_proto::log::LogHead;
use lockstep_tests::{Papers, TestClock, TestDevice, TestServer};

use super::adversary::{Ear, Memory, Plot};
use super::attack::Attack;
use super::keyring::Keyring;
use super::logged;
use super::needles::Needles;
use super::oracles::{self, Search, Shown, Truth};

/// The highest head of the account and of each vault that a device has shown.
pub(crate) type Pins = (LogHead, BTreeMap<VaultId, LogHead>);

/// An account, and what its devices wrote.
#[derive(Clone, Default)]
pub(crate) struct Account {
    pub(crate) papers: Option<Arc<Papers>>,
    /// By title: who wrote it, and every password it ever had with who wrote that.
    pub(crate) written: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
    /// Titles that a device may have purged.
    pub(crate) purged: BTreeSet<String>,
    /// What a device added once its removal was acknowledged.
    pub(crate) too_late: BTreeSet<String>,
}

/// A device of an account.
pub(crate) struct Player {
    pub(crate) account: usize,
    pub(crate) device: TestDevice,
    pub(crate) pins: Pins,
    /// What it showed when it was last looked at, and whether it wrote anything since.
    pub(crate) shown: BTreeMap<VaultId, Vec<Shown>>,
    pub(crate) has_changed: bool,
    /// Whether it may have been removed, and whether its removal was acknowledged.
    pub(crate) removed: (bool, bool),
}

impl Player {
    fn new(account: usize, device: TestDevice) -> Self {
        let (pins, shown) = (Pins::default(), BTreeMap::new());
        Self { account, device, pins, shown, has_changed: true, removed: (false, false) }
    }
}

/// What the oracles look at.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) players: Vec<Player>,
    pub(crate) victim: usize,
    pub(crate) plot: Arc<Plot>,
    /// Everything that must never be readable anywhere.
    pub(crate) needles: Needles,
    /// Every root key that was met.
    pub(crate) arks: BTreeMap<[u8; 32], Ark>,
    pub(crate) search: Search,
    pub(crate) truth: Truth,
    pub(crate) counter: usize,
}

impl World {
    /// Accounts with so many devices each, in step, with one vault and one item each.
    pub(crate) async fn start(cast: &[usize]) -> Self {
        logged::listen();
        let clock = Arc::new(TestClock::default());
        let server = TestServer::start_at(clock.clone()).unwrap();
        let plot = Plot::new(
            None,
            Arc::new(Keyring::make()),
            server.state().unwrap(),
            Vec::new(),
            Memory::default(),
        );
        let mut world = Self {
            server,
            clock,
            accounts: vec![Account::default(); cast.len()],
            players: Vec::new(),
            victim: usize::MAX,
            plot,
            needles: Needles::default(),
            arks: BTreeMap::new(),
            search: Search::default().restarted(),
            truth: Truth::default(),
            counter: 0,
        };
        for (account, devices) in cast.iter().enumerate() {
            Box::pin(world.found(account, *devices)).await.unwrap();
        }
        world.remember();
        let verdict = Box::pin(oracles::after_each(&mut world, None, "")).await;
        verdict.unwrap_or_else(|what| panic!("{cast:?}, at the beginning: {what}"));
        world
    }

    /// An account's first device and vault, then its others.
    async fn found(&mut self, account: usize, devices: usize) -> anyhow::Result<()> {
        let first = self.players.len();
        let url = self.server.url();
        let ear = Ear::new(&self.plot, account, first, self.victim);
        let (device, papers) = Box::pin(TestDevice::sign_up_through(&url, |server| server.obey(ear))).await?;
        self.accounts[account].papers = Some(Arc::new(papers));
        self.join(account, device);
        self.new_vault(first).await?;
        self.add(first).await?;
        self.players[first].device.sync().await?;
        for _ in 1..devices {
            Box::pin(self.sign_in(account)).await?;
        }
        for number in first..self.players.len() {
            self.players[number].device.sync().await?;
        }
        Ok(())
    }

    /// From now on this is a device of the account.
    pub(crate) fn join(&mut self, account: usize, device: TestDevice) {
        device.store.watch();
        self.players.push(Player::new(account, device));
    }

    /// The same world once more, apart from this one, with this attack on this device.
    pub(crate) async fn copy(&self, victim: usize, attack: Option<Attack>) -> Self {
        let clock = Arc::new(TestClock::default());
        clock.set(self.clock.now_ms());
        let server = self.server.state().unwrap().copy_at(clock.clone()).start().unwrap();
        let mut logs = Vec::new();
        for account in 0..self.accounts.len() {
            let first = self.players.iter().find(|player| player.account == account);
            logs.extend(first.map(|player| player.device.client.unlocked().state().clone()));
        }
        let memory = self.plot.memory().clone();
        let plot = Plot::new(attack, self.plot.keys.clone(), server.state().unwrap(), logs, memory);
        let mut players = Vec::new();
        for (number, player) in self.players.iter().enumerate() {
            let device = Box::pin(player.device.copy(&server)).await.unwrap();
            device.net.server().obey(Ear::new(&plot, player.account, number, victim));
            device.store.watch();
            players.push(Player::new(player.account, device));
        }
        Self {
            server,
            clock,
            accounts: self.accounts.clone(),
            players,
            victim,
            plot,
            needles: self.needles.clone(),
            arks: BTreeMap::new(),
            search: self.search.restarted(),
            truth: Truth::default(),
            counter: self.counter,
        }
    }

    /// The adversary keeps the server as it is now.
    pub(crate) fn remember(&self) {
        let state = self.server.state().unwrap().copy();
        self.plot.memory().past.push(state);
    }

    /// From now on a device of the victim's account that is as it was in `base` says what is true.
    pub(crate) async fn call_a_witness(&mut self, base: &Self) {
        let account = base.players.get(self.victim).map_or(0, |player| player.account);
        let Some(first) = base.players.iter().find(|player| player.account == account) else { return };
        let witness = Box::pin(first.device.copy(&self.server)).await.unwrap();
        self.truth.witnessed_by(witness);
    }

    /// The devices of an account that are certain to be among it.
    pub(crate) fn staying(&self, account: usize) -> Vec<usize> {
        let stays = |number: &usize| {
            let player = &self.players[*number];
            player.account == account && !player.removed.0
        };
        (0..self.players.len()).filter(stays).collect()
    }
}
