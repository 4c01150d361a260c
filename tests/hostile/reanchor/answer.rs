//! What a device does once its person has said that the server was restored from a backup.

use super::Otherwise;
use super::book::{CommitId, GENESIS, LinkId, Says};
use super::device::{Cut, Status, Sync};

impl Sync<'_> {
    /// Syncs, and answers what is asked. Whether there was anything to answer that could be.
    pub(super) fn answer(&mut self) -> bool {
        match self.run(Cut::None) {
            Status::Forked => self.accept(),
            Status::LogForked if self.otherwise != Otherwise::LogsStayForked => self.take_log(),
            _ => false,
        }
    }

    /// Signs that the account goes on from what the server has, and follows.
    fn accept(&mut self) -> bool {
        let device = &self.world.devices[self.by];
        let (pin, log, head) = (device.pin, device.log, self.world.server.head);
        if pin == head && self.book.accepted(log).is_some_and(|(_, accepted)| accepted == head) {
            self.wrong.push("what was accepted is taken");
            return false;
        }
        let fork = self.fork(pin, head, log);
        if !self.book.would_be_whole(fork, head, log) {
            if !self.is_hostile {
                self.wrong.push("what a server has can be accepted");
            }
            return false;
        }
        let link = self.book.sign_link(log, self.by, Says::Reanchor { fork, head, lists_lost: false });
        self.go_on(link, head);
        true
    }

    fn go_on(&mut self, link: LinkId, head: CommitId) {
        self.world.server.log = link;
        self.learn(link);
        if !self.book.is_whole(head, link) && self.otherwise != Otherwise::CutOffsAsked {
            self.wrong.push("what was accepted is valid");
        }
        self.adopt(head);
        self.run(Cut::None);
    }

    /// The last commit that both histories have, where one of them has the cut-off: either it is on the accepted one,
    /// or that leaves the remover's history there. Where none has it nobody knows what the remover had seen.
    fn fork(&self, pin: CommitId, head: CommitId, log: LinkId) -> CommitId {
        let common = self.book.common(pin, head);
        let is_known = |cut_off| self.book.has(pin, cut_off) || self.book.has(head, cut_off);
        match self.book.cut_off(log).filter(|_| self.otherwise != Otherwise::LastCommon) {
            Some(cut_off) if !is_known(cut_off) => GENESIS,
            _ => common,
        }
    }

    /// Goes on from the server's log. What the own log has removed is removed again, and nothing of it counts that is
    /// on the server's branch only: in one request, since a removal alone would let it count.
    fn take_log(&mut self) -> bool {
        let device = &self.world.devices[self.by];
        let (pin, own) = (device.pin, device.log);
        let (served, head) = (self.world.server.log, self.world.server.head);
        let is_missing = self.book.cut_off(own).is_some() && self.book.cut_off(served).is_none();
        if !is_missing {
            self.learn(served);
            self.run(Cut::None);
            return true;
        }
        let fork = self.fork(pin, head, own);
        let removal = self.book.sign_link(served, self.by, Says::Removal { cut_off: head });
        if self.otherwise == Otherwise::RemovesFirst {
            self.world.server.log = removal;
            self.learn(removal);
            self.run(Cut::None);
            return true;
        }
        let link = self.book.sign_link(removal, self.by, Says::Reanchor { fork, head, lists_lost: true });
        self.go_on(link, head);
        true
    }
}
