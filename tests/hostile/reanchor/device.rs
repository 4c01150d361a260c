//! What a device does in a sync, as the rules of re-anchoring have it: the account's log first, then the vault, then
//! what waits.

use super::book::{Body, Book, CommitId, Item, Leaf, LinkId, Making};
use super::document::{Doc, Values};
use super::world::World;
use super::{ITEMS, Otherwise};
use crate::logs::fixture::LOST;

/// What came of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Done,
    /// There is another history of the vault, or the one that there is does not count: its person is asked.
    Forked,
    /// There is another history of the account's log: its person is asked.
    LogForked,
    /// Somebody has seen what the server does not have.
    Withheld,
    /// The device is removed.
    Out,
}

/// Where a sync is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    None,
    /// After the account's log.
    AfterLog,
    /// A commit is signed and not sent.
    Unsent,
    /// A commit is taken, and the answer lost.
    Unanswered,
}

/// A sync of one device, with everything that it works on.
pub(super) struct Sync<'a> {
    pub(super) book: &'a mut Book,
    pub(super) world: &'a mut World,
    pub(super) otherwise: Otherwise,
    pub(super) is_hostile: bool,
    /// Whose.
    pub(super) by: usize,
    pub(super) wrong: &'a mut Vec<&'static str>,
}

impl Sync<'_> {
    fn log(&self) -> LinkId {
        self.world.devices[self.by].log
    }

    fn pin(&self) -> CommitId {
        self.world.devices[self.by].pin
    }

    pub(super) fn run(&mut self, cut: Cut) -> Status {
        if let Some(status) = self.account() {
            return status;
        }
        if cut == Cut::AfterLog {
            return Status::Done;
        }
        match self.vault() {
            Some(status) => status,
            None => self.write(cut),
        }
    }

    /// Of server and device whoever lacks links gets them.
    fn account(&mut self) -> Option<Status> {
        let (served, own) = (self.world.server.log, self.log());
        if self.by == LOST && self.book.cut_off(served).is_some() {
            return Some(Status::Out);
        }
        if self.book.log_has(own, served) {
            self.world.server.log = own;
        } else if self.book.log_has(served, own) {
            self.learn(served);
        } else {
            return Some(Status::LogForked);
        }
        None
    }

    pub(super) fn learn(&mut self, log: LinkId) {
        let knows = self.book.cut_off(log).is_some();
        let device = &mut self.world.devices[self.by];
        device.log = log;
        device.knows |= knows;
    }

    /// Whether the device takes this chain.
    fn takes(&mut self, head: CommitId) -> bool {
        let log = self.log();
        match self.otherwise {
            Otherwise::FollowsAnything => self.book.is_valid(head, log),
            Otherwise::CutOffsAsked => {
                self.book.is_whole(head, log) && self.book.is_within_cut_off(head, log)
            }
            _ => self.book.is_whole(head, log),
        }
    }

    fn vault(&mut self) -> Option<Status> {
        let (pin, head) = (self.pin(), self.world.server.head);
        if self.book.has(head, pin) {
            if !self.takes(head) {
                return Some(Status::Forked);
            }
            self.world.devices[self.by].pin = head;
        } else if self.book.has(pin, head) {
            if !self.takes(pin) {
                return Some(Status::Forked);
            }
            // The server gets back what it lost.
            self.world.server.head = pin;
        } else if self.may_follow(pin, head) {
            self.adopt(head);
        } else {
            return Some(Status::Forked);
        }
        None
    }

    fn may_follow(&mut self, pin: CommitId, head: CommitId) -> bool {
        let Some((_, accepted)) = self.book.accepted(self.log()) else { return false };
        let is_served = self.book.has(head, accepted);
        let is_own = self.book.has(pin, accepted);
        let is_called_for = match self.otherwise {
            Otherwise::FollowsAnything => true,
            Otherwise::FollowsFromAccepted => {
                is_served && (!is_own || self.book.common(pin, head) == accepted)
            }
            _ => is_served && !is_own,
        };
        is_called_for && self.takes(head)
    }

    /// Takes the chain as it is, and brings what the own one has made of items after the fork, and what waits.
    pub(super) fn adopt(&mut self, head: CommitId) {
        let pin = self.pin();
        let fork = self.book.common(pin, head);
        for item in 0..ITEMS {
            let Some(doc) = self.carried(item, pin, fork) else { continue };
            let doc = match (self.otherwise, self.book.leaf(head, item)) {
                (Otherwise::NewStamps, Some(leaf)) => Doc { seen: doc.seen.and(leaf.doc.seen), ..doc },
                _ => doc,
            };
            // Brought along, it is the device's own edit.
            self.world.take_over(self.by, doc.seen);
            let device = &mut self.world.devices[self.by];
            let waits = device.outbox.entry(item).or_default();
            *waits = waits.merged(doc);
            if self.otherwise != Otherwise::ForgetsCovered {
                let carried = device.carried.entry(item).or_default();
                *carried = carried.merged(doc);
            }
        }
        self.world.devices[self.by].pin = head;
    }

    /// The newest version after the fork that counts.
    fn carried(&self, item: Item, pin: CommitId, fork: CommitId) -> Option<Doc> {
        let after = self.book.leaves(pin, item).take_while(|leaf| !self.book.has(fork, leaf.set));
        let after: Vec<Leaf> = after.collect();
        if self.otherwise == Otherwise::LastVersionOnly {
            return after.first().filter(|leaf| self.counts(pin, leaf.set)).map(|leaf| leaf.doc);
        }
        let (counting, others): (Vec<Leaf>, Vec<Leaf>) =
            after.iter().partition(|leaf| self.counts(pin, leaf.set));
        let newest = counting.first().map(|leaf| leaf.doc);
        // What was brought along before may have been covered by one that does not count.
        let before = self.world.devices[self.by].carried.get(&item).filter(|_| !others.is_empty());
        before.map_or(newest, |before| Some(before.merged(newest.unwrap_or_default())))
    }

    fn counts(&self, head: CommitId, commit: CommitId) -> bool {
        self.book.counts(head, commit, self.log())
    }

    /// Whether the last version of an item is neither shown nor merged.
    fn is_hidden(&mut self, item: Item) -> bool {
        let (pin, log) = (self.pin(), self.log());
        let Some(leaf) = self.book.leaf(pin, item) else { return false };
        if self.otherwise == Otherwise::TrustsAll {
            return false;
        }
        let is_judged = self.otherwise == Otherwise::ShowsWhileAsked || self.book.is_whole(pin, log);
        match is_judged {
            true => self.book.is_distrusted(pin, leaf.set, log),
            false => !self.counts(pin, leaf.set),
        }
    }

    /// The last version of an item that is neither distrusted nor beyond a cut-off.
    fn below(&self, item: Item, is_judged: bool) -> Option<Doc> {
        let (pin, log) = (self.pin(), self.log());
        let counts = |set| match is_judged {
            true => !self.book.is_distrusted(pin, set, log),
            false => self.counts(pin, set),
        };
        self.book.leaves(pin, item).find(|leaf| counts(leaf.set)).map(|leaf| leaf.doc)
    }

    /// What the device shows of an item.
    pub(super) fn view(&mut self, item: Item) -> Doc {
        let leaf = self.book.leaf(self.pin(), item).map(|leaf| leaf.doc);
        let base = match self.is_hidden(item) {
            true => {
                let is_judged = self.book.is_whole(self.pin(), self.log());
                self.below(item, is_judged)
            }
            false => leaf,
        };
        let waits = self.world.devices[self.by].outbox.get(&item).copied();
        base.unwrap_or_default().merged(waits.unwrap_or_default())
    }

    /// What waits meets what came. Where that is distrusted, the newest version by an author who counts is brought,
    /// too.
    fn rebase(&mut self) {
        for item in 0..ITEMS {
            let waits = self.waits(item);
            let leaf = self.book.leaf(self.pin(), item);
            let doc = if self.is_hidden(item) {
                let is_enough = self.otherwise == Otherwise::OwnDocumentAlone && waits.is_some();
                let below = self.below(item, true).filter(|_| !is_enough);
                let doc = waits.unwrap_or_default().merged(below.unwrap_or_default());
                Some(doc).filter(|doc| *doc != Doc::default())
            } else {
                let now = leaf.map(|leaf| leaf.doc).unwrap_or_default();
                waits.map(|waits| waits.merged(now)).filter(|doc| *doc != now)
            };
            let outbox = &mut self.world.devices[self.by].outbox;
            match doc {
                Some(doc) => outbox.insert(item, doc),
                None => outbox.remove(&item),
            };
        }
    }

    /// What waits of an item; with what was carried, where a version has turned out to be distrusted that may have
    /// covered it.
    fn waits(&self, item: Item) -> Option<Doc> {
        let (pin, log) = (self.pin(), self.log());
        let device = &self.world.devices[self.by];
        let mut leaves = self.book.leaves(pin, item);
        let is_covered = leaves.any(|leaf| self.book.is_distrusted(pin, leaf.set, log));
        let carried = device.carried.get(&item).filter(|_| is_covered);
        let waits = device.outbox.get(&item).copied();
        carried.map_or(waits, |carried| Some(waits.unwrap_or_default().merged(*carried)))
    }

    /// The commit in flight, the epoch that is due, and what waits.
    fn write(&mut self, cut: Cut) -> Status {
        if self.book.lacks_claimed(self.pin(), self.log()) {
            return Status::Withheld;
        }
        if let Some(commit) = self.world.devices[self.by].in_flight.take() {
            let is_next = self.book.parent(commit) == Some(self.pin());
            if is_next && self.takes(commit) {
                self.world.server.head = commit;
                self.world.devices[self.by].pin = commit;
            }
            if self.book.has(self.pin(), commit) {
                self.acknowledge(commit);
            }
        }
        self.rebase();
        while self.book.is_raise_due(self.pin(), self.log()) {
            if !self.send(Body::Raise, cut) {
                return Status::Done;
            }
        }
        let outbox = &self.world.devices[self.by].outbox;
        let changes: Vec<(Item, Doc)> = outbox.iter().map(|(item, doc)| (*item, *doc)).collect();
        if !changes.is_empty() && self.send(Body::Content(changes), cut) {
            self.world.devices[self.by].outbox.clear();
        }
        Status::Done
    }

    /// Signs a commit, and sends it. Whether its answer came.
    fn send(&mut self, body: Body, cut: Cut) -> bool {
        let (parent, log) = (self.pin(), self.log());
        if let Body::Content(changes) = &body {
            let seen = changes.iter().fold(Values::NONE, |all, (_, doc)| all.and(doc.seen));
            self.world.take_over(self.by, seen);
            let is_clean = seen.both(self.world.forbidden()).is_empty();
            if self.world.devices[self.by].knows && !is_clean {
                self.wrong.push("P2 nothing unseen is merged by who knows of the removal");
            }
        }
        let commit = self.book.sign(Making { parent, by: self.by, log, body });
        let accepted = self.book.accepted(log).map(|(link, _)| link);
        let once = (self.by as u8, parent, accepted);
        let same = |it: &&(u8, _, _, _)| (it.0, it.1, it.2) == once && it.3 != commit;
        // A commit that names another log than a second one is no part of any history that has it.
        let is_on_one_log = |it: &(u8, _, _, CommitId)| {
            let other = self.book.making(it.3).map(|making| making.log);
            other.is_some_and(|other| self.book.log_has(log, other) || self.book.log_has(other, log))
        };
        if self.world.signed.iter().filter(same).any(is_on_one_log) {
            self.wrong.push("R-ONCE");
        }
        self.world.signed.insert((once.0, once.1, once.2, commit));
        if !self.book.is_whole(commit, log) && self.otherwise != Otherwise::FollowsAnything {
            self.wrong.push("what an honest device writes is valid");
        }
        let device = &mut self.world.devices[self.by];
        if cut != Cut::Unsent {
            self.world.server.head = commit;
        }
        if cut != Cut::None {
            device.in_flight = Some(commit);
            return false;
        }
        device.pin = commit;
        self.acknowledge(commit);
        true
    }

    fn acknowledge(&mut self, commit: CommitId) {
        let Some(Body::Content(changes)) = self.book.making(commit).map(|making| &making.body) else {
            return;
        };
        let seen = changes.iter().fold(Values::NONE, |all, (_, doc)| all.and(doc.seen));
        let own = &mut self.world.acknowledged[self.by];
        *own = own.and(seen.both(Values::all_of(self.by)));
    }
}
