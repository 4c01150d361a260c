//! What can happen.

use super::book::{Body, Book, Item, Making, Says};
use super::device::{Cut, Status, Sync};
use super::document::{Doc, Values};
use super::world::{Server, World};
use super::{ITEMS, Lost, Model};
use crate::logs::fixture::{DEVICES, LOST};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A person edits an item.
    Write(usize, Item),
    Purge(usize, Item),
    Sync(usize, Cut),
    /// A person says that the server was restored from a backup.
    Answer(usize),
    /// The first device removes the lost one.
    Remove,
    /// A link that says anything else.
    Other(usize),
    /// A thief of the lost device writes over an item, or purges it, and claims to have seen everything.
    Plant(Item, bool),
    /// The thief takes the place of the control state.
    PlantControl,
    Backup,
    Restore(Server),
    /// The same, and what the server had is kept in its place.
    Swap(Server),
}

impl Model {
    /// Everything that could happen; some of it changes nothing.
    pub(super) fn actions(&self, world: &World) -> Vec<Action> {
        let mut actions = Vec::new();
        let is_removed = world.remover_saw.is_some();
        for device in 0..DEVICES {
            let is_used = match self.lost {
                Lost::Used => true,
                Lost::Stolen => !is_removed,
                Lost::StolenUnused => false,
            };
            if device == LOST && !is_used {
                continue;
            }
            for item in 0..ITEMS.min(self.items) {
                actions.extend((world.left.writes[device] > 0).then_some(Action::Write(device, item)));
                actions.extend((world.left.purges[device] > 0).then_some(Action::Purge(device, item)));
            }
            actions.push(Action::Sync(device, Cut::None));
            if world.left.cuts > 0 {
                let cuts = [Cut::AfterLog, Cut::Unsent, Cut::Unanswered];
                actions.extend(cuts.map(|cut| Action::Sync(device, cut)));
            }
            let may_answer = self.living(world).contains(&device) && world.left.answers > 0;
            actions.extend(may_answer.then_some(Action::Answer(device)));
            actions.extend((world.left.others[device] > 0).then_some(Action::Other(device)));
        }
        actions.extend((world.left.removals > 0).then_some(Action::Remove));
        if is_removed && world.left.plants > 0 {
            for item in 0..ITEMS.min(self.items) {
                actions.extend([false, true].map(|purges| Action::Plant(item, purges)));
            }
            actions.push(Action::PlantControl);
        }
        actions.extend((world.left.backups > 0).then_some(Action::Backup));
        if self.is_hostile {
            let logs = world.backups.iter().map(|it| it.log);
            let shown =
                logs.flat_map(|log| world.backups.iter().map(move |it| Server { log, head: it.head }));
            actions.extend(shown.map(Action::Restore));
        } else if world.left.restores > 0 {
            actions.extend(world.backups.iter().flat_map(|it| [Action::Restore(*it), Action::Swap(*it)]));
        }
        actions
    }

    /// Devices that somebody uses and trusts.
    pub(super) fn living(&self, world: &World) -> std::ops::Range<usize> {
        let is_used = world.remover_saw.is_none() && self.lost != Lost::StolenUnused;
        if is_used { 0..DEVICES } else { 0..LOST }
    }

    /// The world after it, if it changes anything; what is wrong goes to `wrong`.
    pub(super) fn act(
        &self,
        book: &mut Book,
        before: &World,
        action: Action,
        wrong: &mut Vec<&'static str>,
    ) -> Option<World> {
        let mut world = before.clone();
        let happens = self.happens(book, &mut world, action, wrong);
        if self.is_hostile {
            world.backups.insert(world.server);
        }
        Self::take_over(&mut world);
        if !happens || world == *before {
            return None;
        }
        self.check_pins(book, before, &world, action, wrong);
        self.check_shown(book, &mut world, wrong);
        Some(world)
    }

    pub(super) fn sync<'a>(
        &self,
        book: &'a mut Book,
        world: &'a mut World,
        by: usize,
        wrong: &'a mut Vec<&'static str>,
    ) -> Sync<'a> {
        let Self { otherwise, is_hostile, .. } = *self;
        Sync { book, world, otherwise, is_hostile, by, wrong }
    }

    fn happens(
        &self,
        book: &mut Book,
        world: &mut World,
        action: Action,
        wrong: &mut Vec<&'static str>,
    ) -> bool {
        match action {
            Action::Write(device, item) => {
                let doc = self.sync(book, world, device, wrong).view(item);
                world.left.writes[device] -= 1;
                let value = world.make(device, doc);
                world.devices[device].outbox.insert(item, doc.written(value));
                true
            }
            Action::Purge(device, item) => {
                let doc = self.sync(book, world, device, wrong).view(item);
                world.left.purges[device] -= 1;
                let purge = world.make(device, doc);
                world.purges = world.purges.and(purge);
                world.devices[device].outbox.insert(item, doc.purged(purge));
                !doc.shown.is_empty()
            }
            Action::Sync(device, cut) => {
                world.left.cuts -= u8::from(cut != Cut::None);
                let was = world.clone();
                self.sync(book, world, device, wrong).run(cut);
                *world != was
            }
            Action::Answer(device) => {
                world.left.answers -= u8::from(self.is_hostile);
                self.sync(book, world, device, wrong).answer()
            }
            Action::Remove => self.remove(book, world, wrong),
            Action::Other(device) => {
                world.left.others[device] -= 1;
                let status = self.sync(book, world, device, wrong).run(Cut::None);
                if status != Status::Done {
                    return false;
                }
                let seen = world.devices[device].pin;
                let link = book.sign_link(world.server.log, device, Says::Other { seen });
                world.server.log = link;
                world.devices[device].log = link;
                true
            }
            Action::Plant(item, purges) => self.plant(book, world, item, purges),
            Action::PlantControl => {
                world.left.plants -= 1;
                let Server { log, head } = world.server;
                self.plants(book, world, Making { parent: head, by: LOST, log, body: Body::Control })
            }
            Action::Backup => {
                world.left.backups -= 1;
                world.backups.insert(world.server)
            }
            Action::Restore(backup) | Action::Swap(backup) => {
                world.left.restores -= u8::from(!self.is_hostile);
                let was = std::mem::replace(&mut world.server, backup);
                if matches!(action, Action::Swap(_)) {
                    world.backups.remove(&backup);
                    world.backups.insert(was);
                }
                was != backup
            }
        }
    }

    /// The remover is in step with the server: what the lost device has written by then is seen.
    fn remove(&self, book: &mut Book, world: &mut World, wrong: &mut Vec<&'static str>) -> bool {
        world.left.removals -= 1;
        let status = self.sync(book, world, 0, wrong).run(Cut::None);
        if status != Status::Done || book.cut_off(world.server.log).is_some() {
            return false;
        }
        let cut_off = world.devices[0].pin;
        let link = book.sign_link(world.server.log, 0, Says::Removal { cut_off });
        world.server.log = link;
        self.sync(book, world, 0, wrong).learn(link);
        world.remover_saw.get_or_insert(book.seen(cut_off));
        true
    }

    /// Its seen set has every value that there is: guessed, or known from before.
    fn plant(&self, book: &mut Book, world: &mut World, item: Item, purges: bool) -> bool {
        world.left.plants -= 1;
        let everything = (0..DEVICES)
            .flat_map(|device| (0..world.made[device]).map(move |number| Values::of(device, number)));
        let seen = everything.fold(Values::NONE, Values::and);
        let before = Doc { shown: Values::NONE, seen };
        let value = world.make(LOST, before);
        let doc = if purges { before.purged(value) } else { before.written(value) };
        world.purges = if purges { world.purges.and(value) } else { world.purges };
        let Server { log, head } = world.server;
        let body = Body::Content(vec![(item, doc)]);
        self.plants(book, world, Making { parent: head, by: LOST, log, body })
    }

    /// The server takes it where its log does not know of the removal.
    fn plants(&self, book: &mut Book, world: &mut World, making: Making) -> bool {
        let (log, parent) = (making.log, making.parent);
        if book.cut_off(log).is_some() || !book.is_whole(parent, log) {
            return false;
        }
        let commit = book.sign(making);
        world.server.head = commit;
        book.is_whole(commit, log)
    }

    /// What waits was merged with what came.
    fn take_over(world: &mut World) {
        for device in 0..LOST {
            let docs = world.devices[device].outbox.values();
            let seen = docs.fold(Values::NONE, |all, doc| all.and(doc.seen));
            world.take_over(device, seen);
        }
    }

    fn check_pins(
        &self,
        book: &Book,
        before: &World,
        world: &World,
        action: Action,
        wrong: &mut Vec<&'static str>,
    ) {
        for (device, (now, then)) in world.devices.iter().zip(&before.devices).enumerate() {
            let is_asked = action == Action::Answer(device);
            let is_accepted = |head| book.has(now.pin, head) && !book.has(then.pin, head);
            let follows = book.accepted(now.log).is_some_and(|(_, head)| is_accepted(head));
            if !book.has(now.pin, then.pin) && !is_asked && !follows {
                wrong.push("P4 no pin is given up unasked");
            }
            if !book.log_has(now.log, then.log) && !is_asked {
                wrong.push("P4 no log is given up unasked");
            }
        }
    }

    fn check_shown(&self, book: &mut Book, world: &mut World, wrong: &mut Vec<&'static str>) {
        for device in 0..LOST {
            if world.devices[device].knows {
                let forbidden = world.forbidden();
                let mut sync = self.sync(book, world, device, wrong);
                let shows = (0..ITEMS).any(|item| !sync.view(item).seen.both(forbidden).is_empty());
                if shows {
                    wrong.push("P2 nothing unseen is shown by who knows of the removal");
                }
            }
        }
    }

    /// What is wrong where nothing is left to do: every device that is used has everything, and nobody waits.
    pub(super) fn check_end(&self, book: &mut Book, world: &World, wrong: &mut Vec<&'static str>) {
        let mut now = world.clone();
        for device in self.living(world) {
            let status = self.sync(book, &mut now, device, wrong).run(Cut::None);
            if status != Status::Done {
                wrong.push(match status {
                    Status::LogForked => "no device is stuck: its log",
                    Status::Withheld => "no device is stuck: a claim",
                    _ => "no device is stuck: its vault",
                });
                return;
            }
            let Server { log, head } = world.server;
            let own = &world.devices[device];
            let is_idle = own.outbox.is_empty() && own.in_flight.is_none();
            if (own.log, own.pin) != (log, head) || !is_idle {
                wrong.push("all devices end on one chain");
            }
        }
        let mut sync = self.sync(book, &mut now, 0, wrong);
        let docs: Vec<Doc> = (0..ITEMS).map(|item| sync.view(item)).collect();
        let seen = docs.iter().fold(Values::NONE, |all, doc| all.and(doc.seen));
        let shown = docs.iter().fold(Values::NONE, |all, doc| all.and(doc.shown));
        let there = world.accounted(seen, shown);
        let lost = self.living(world).any(|device| !world.acknowledged[device].without(there).is_empty());
        if lost {
            wrong.push("P8 nothing is lost");
        }
    }
}
