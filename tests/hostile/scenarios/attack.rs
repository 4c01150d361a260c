//! What can be done to an answer: one attack is a family of changes, the answer that it begins with, and a seed.

use super::dice::Dice;

/// The kinds of changes. Which one of its kind is made, the seed says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// One bit is another.
    Flip,
    /// A thing stands where another of its type stood, of this answer or of one to any device of any account.
    Swap,
    /// A field is null, absent, empty, out of bounds; an entry is dropped, repeated, moved.
    Field,
    /// A field or a list is as large as will go.
    Oversize,
    /// A field stands there twice.
    Duplicate,
    /// An earlier answer to the same question.
    Replay,
    /// The answer that another account got to this question, or another device.
    Elsewhere,
    /// The request does not arrive, or its answer does not.
    Drop,
    /// The request arrives after the next one, or answers come one too late.
    Reorder,
    /// The answer ends early: its body, or the connection.
    Truncate,
    /// Public keys are the adversary's, in fields and inside signed bytes.
    Keys,
    /// An older protocol, suite, version or a cheaper stretching profile.
    Legacy,
    /// Another status, or any refusal that there is.
    Status,
    /// The answer is elsewhere.
    Redirect,
    /// The answer does not end.
    Endless,
    /// What is read, an earlier state of the server.
    Past,
    /// The largest thing that is sealed or signed is broken, in one of its places.
    Seal,
    /// From here on the device is on a branch of its own.
    Fork,
}

impl Family {
    pub(crate) const ALL: [Self; 18] = [
        Self::Flip,
        Self::Swap,
        Self::Field,
        Self::Oversize,
        Self::Duplicate,
        Self::Replay,
        Self::Elsewhere,
        Self::Drop,
        Self::Reorder,
        Self::Truncate,
        Self::Keys,
        Self::Legacy,
        Self::Status,
        Self::Redirect,
        Self::Endless,
        Self::Past,
        Self::Seal,
        Self::Fork,
    ];
}

/// An attack: what, on which of the victim's answers, and whether on all that follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attack {
    pub(crate) family: Family,
    pub(crate) at: usize,
    pub(crate) lasting: bool,
    pub(crate) seed: u64,
}

impl Attack {
    /// One that is drawn, for a scenario of so many answers.
    pub(crate) fn draw(dice: &mut Dice, answers: usize) -> Self {
        let family = Family::ALL[dice.below(Family::ALL.len())];
        Self { family, at: dice.below(answers), lasting: dice.below(3) == 0, seed: dice.next() }
    }

    /// Whether the answer with this number is changed.
    pub(crate) fn is_due(&self, number: usize) -> bool {
        let goes_on = self.lasting || self.family == Family::Fork;
        number == self.at || (goes_on && number > self.at)
    }

    /// What is drawn for the answer with this number.
    pub(crate) fn dice(&self, number: usize) -> Dice {
        Dice::new(self.seed.wrapping_add(number as u64))
    }
}
