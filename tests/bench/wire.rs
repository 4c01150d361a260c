//! What a first sync costs on the wire, in CBOR and in JSON: bytes, and the processor's time to write and read its
//! answers.
//!
//! `cargo bench -p lockstep-proto --bench wire -- --items 10000 --runs 9`. The answers are those of a first sync of a
//! vault that was imported: control, items and commits, page by page as the server cuts them, with random bytes in the
//! place of what is sealed, of the sizes that logins have (256 bytes of plaintext after padding; every tenth twice
//! that).

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use lockstep_proto::api::PAGE_LIMIT;
use lockstep_proto::api::items::{ItemPage, StoredItem};
use lockstep_proto::api::vaults::{AuthorPosition, CommitPage, ControlPage, Room, StoredCommit};
use lockstep_proto::blob::blob_hash;
use lockstep_proto::bytes::Bytes;
use lockstep_proto::ids::{AccountId, Hash, ItemId, Seq, Version};
use lockstep_proto::log::{CHANGES_LIMIT, LogHead};
use serde::Serialize;
use serde::de::DeserializeOwned;

const ROOM: Room = Room { bytes: 1 << 31, commit_blob_bytes: 1 << 25, commit_changes: 1_024 };
/// Header with its length, envelope without its padded plaintext, tag included.
const AROUND: usize = 4 + 175 + 4 + 1 + 32 + 32 + 16;
/// Signed bytes, signature and length of a content commit.
const COMMIT: usize = 480;
/// One change in a commit's body.
const CHANGE: usize = 16 + 2 * (8 + 32);

/// Bytes that no encoding makes smaller, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Bytes {
        let next = |_| {
            // SplitMix64 (Steele, Lea, Flood 2014).
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) as u8
        };
        Bytes((0..length).map(next).collect())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).0.try_into().unwrap()
    }
}

/// The answers of a first sync, its history included.
struct FirstSync {
    control: ControlPage,
    items: Vec<ItemPage>,
    commits: Vec<CommitPage>,
}

impl FirstSync {
    fn of(items: usize) -> Self {
        let mut noise = Noise(7);
        let head = LogHead { seq: Seq(items.div_ceil(CHANGES_LIMIT) as u64), hash: Hash(noise.array()) };
        let mut stored: Vec<StoredItem> = (0..items).map(|number| item(&mut noise, number)).collect();
        let mut commits: Vec<StoredCommit> = (0..items.div_ceil(CHANGES_LIMIT))
            .map(|_| StoredCommit {
                commit: noise.bytes(COMMIT),
                body: noise.bytes(4 + CHANGE * CHANGES_LIMIT),
            })
            .collect();
        let genesis = StoredCommit { commit: noise.bytes(COMMIT), body: noise.bytes(220) };
        commits.insert(0, genesis.clone());
        let authors = vec![AuthorPosition { account_id: AccountId(noise.array()), head }];
        let last = commits.last().unwrap().clone();
        let control = ControlPage {
            head,
            room: ROOM,
            last,
            control: vec![genesis],
            authors: authors.clone(),
            more: false,
        };
        let items = pages(&mut stored, |item| item.blob.len() + 100);
        let commits = pages(&mut commits, |stored| stored.commit.len() + stored.body.len());
        let item_page = |items| ItemPage { head, room: ROOM, items, more: true };
        let commit_page =
            |commits| CommitPage { head, room: ROOM, commits, authors: authors.clone(), more: true };
        Self {
            control,
            items: items.into_iter().map(item_page).collect(),
            commits: commits.into_iter().map(commit_page).collect(),
        }
    }

    fn write(&self, format: &Format) -> Vec<Vec<u8>> {
        let mut bodies = vec![format.write(&self.control)];
        bodies.extend(self.items.iter().map(|page| format.write(page)));
        bodies.extend(self.commits.iter().map(|page| format.write(page)));
        bodies
    }

    fn read(&self, format: &Format, bodies: &[Vec<u8>]) {
        let (control, pages) = bodies.split_first().unwrap();
        let (items, commits) = pages.split_at(self.items.len());
        assert!(format.read::<ControlPage>(control) == self.control);
        for (body, page) in items.iter().zip(&self.items) {
            assert!(black_box(format.read::<ItemPage>(body)).items.len() == page.items.len());
        }
        for (body, page) in commits.iter().zip(&self.commits) {
            assert!(black_box(format.read::<CommitPage>(body)).commits.len() == page.commits.len());
        }
    }
}

fn item(noise: &mut Noise, number: usize) -> StoredItem {
    let padded = if number.is_multiple_of(10) { 512 } else { 256 };
    let blob = noise.bytes(AROUND + padded);
    let item_id = ItemId::from_random(noise.array());
    let seq = Seq((number / CHANGES_LIMIT) as u64 + 1);
    StoredItem { item_id, version: Version(1), blob_hash: blob_hash(&blob), seq, blob }
}

/// As many as a page takes, and so on.
fn pages<T>(all: &mut Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut pages: Vec<Vec<T>> = vec![Vec::new()];
    let mut bytes = 0;
    for one in all.drain(..) {
        bytes += size(&one);
        if bytes > PAGE_LIMIT && !pages.last().unwrap().is_empty() {
            pages.push(Vec::new());
            bytes = size(&one);
        }
        pages.last_mut().unwrap().push(one);
    }
    pages
}

enum Format {
    Cbor,
    Json,
}

impl Format {
    fn write<T: Serialize>(&self, value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Cbor => ciborium::into_writer(value, &mut bytes).unwrap(),
            Self::Json => serde_json::to_writer(&mut bytes, value).unwrap(),
        }
        bytes
    }

    fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> T {
        match self {
            Self::Cbor => ciborium::from_reader(bytes).unwrap(),
            Self::Json => serde_json::from_slice(bytes).unwrap(),
        }
    }
}

fn median(mut milliseconds: Vec<f64>) -> f64 {
    milliseconds.sort_by(f64::total_cmp);
    milliseconds[milliseconds.len() / 2]
}

fn timed<T>(of: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let outcome = black_box(of());
    (start.elapsed().as_secs_f64() * 1_000.0, outcome)
}

/// The number that follows this argument.
fn argument(name: &str, default: usize) -> usize {
    let arguments: Vec<String> = std::env::args().collect();
    let found = arguments.iter().position(|argument| argument == name);
    found.map_or(default, |at| arguments[at + 1].parse().unwrap())
}

fn main() {
    let (items, runs) = (argument("--items", 10_000), argument("--runs", 9));
    let sync = FirstSync::of(items);
    println!("a first sync of {items} items, median of {runs} runs");
    println!("format      bytes  answers  write ms  read ms");
    for (name, format) in [("CBOR", Format::Cbor), ("JSON", Format::Json)] {
        let (mut written, mut read, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            let (milliseconds, fresh) = timed(|| sync.write(&format));
            written.push(milliseconds);
            bodies = fresh;
            read.push(timed(|| sync.read(&format, &bodies)).0);
        }
        let bytes: usize = bodies.iter().map(Vec::len).sum();
        let (count, write, read) = (bodies.len(), median(written), median(read));
        println!("{name} {bytes:>12} {count:>8} {write:>9.1} {read:>8.1}");
    }
}
