//! What the adversary does with the victim's answers.

use std::collections::BTreeMap;
use std::sync::Mutex;

use lockstep_client::ports::{Request, Response};

use super::super::{mutations, with_adversary_keys};

/// A small generator (SplitMix64, Steele et al. 2014): the seed tells the whole run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// What is done.
#[derive(Debug, Clone, Copy)]
enum What {
    /// One field of the answer is another, or absent, or there twice: the mutation with this number.
    Field(u64),
    /// The answer to an earlier request of the same path.
    Replay,
    /// Another status over the same body.
    Status(u16),
    /// Nothing at all.
    Nothing,
    /// Public keys are the adversary's.
    Keys,
    /// What is read, the past answers.
    Past,
}

/// An attack: what, on which of the victim's answers, and whether on all that follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attack {
    at: usize,
    lasting: bool,
    what: What,
}

impl Attack {
    /// One that is drawn, for a scenario of so many answers.
    pub(crate) fn draw(dice: &mut Dice, answers: usize) -> Self {
        let at = dice.below(answers);
        let lasting = dice.below(3) == 0;
        let what = match dice.below(10) {
            0 => What::Replay,
            1 => What::Status([200, 204, 301, 401, 403, 404, 409, 500, 507][dice.below(9)]),
            2 => What::Nothing,
            3 => What::Keys,
            4 => What::Past,
            _ => What::Field(dice.next()),
        };
        Self { at, lasting, what }
    }

    pub(crate) fn armed(self) -> Armed {
        Armed { attack: self, heard: Mutex::default() }
    }
}

/// An attack that listens.
pub(crate) struct Armed {
    attack: Attack,
    heard: Mutex<BTreeMap<String, Response>>,
}

impl Armed {
    pub(crate) fn shows_the_past(&self) -> bool {
        matches!(self.attack.what, What::Past)
    }

    pub(crate) fn from(&self) -> usize {
        self.attack.at
    }

    /// The answer with this number, as the victim gets it.
    pub(crate) fn change(&self, number: usize, request: &Request, response: Response) -> Response {
        let mut heard = self.heard.lock().unwrap();
        let earlier = heard.insert(request.path.clone(), response.clone());
        let due = number == self.attack.at || (self.attack.lasting && number > self.attack.at);
        if !due {
            return response;
        }
        match self.attack.what {
            What::Field(number) => field(number, response),
            What::Replay => earlier.unwrap_or(response),
            What::Status(status) => Response { status, ..response },
            What::Nothing => Response { body: Vec::new(), ..response },
            What::Keys => with_adversary_keys(request, response),
            What::Past => response,
        }
    }
}

fn field(number: u64, response: Response) -> Response {
    if response.body.is_empty() || ciborium::from_reader::<ciborium::Value, _>(&response.body[..]).is_err() {
        return response;
    }
    let changed = mutations::of_answer(&response);
    let index = (number % changed.len().max(1) as u64) as usize;
    changed.into_iter().nth(index).map_or(response, |(_, changed)| changed)
}
