//! Every state that can be reached, breadth first: each once, to the end.

use std::collections::{BTreeMap, HashMap};

use super::Model;
use super::act::Action;
use super::book::Book;
use super::world::World;

/// What was found.
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) depth: usize,
    /// States in which no device that is used has anything to do.
    pub(super) ends: usize,
    /// Those among them in which something has been taken over that the remover had not seen.
    pub(super) taken_over: usize,
    /// What is wrong, each with the shortest way there.
    pub(super) wrong: BTreeMap<&'static str, Vec<Action>>,
    pub(super) signed: (usize, usize),
}

impl Found {
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.wrong.keys().copied().collect()
    }
}

struct Reached {
    world: World,
    from: Option<(usize, Action)>,
    depth: usize,
}

/// Explores until nothing is new, or until `wanted` is found.
#[allow(clippy::print_stdout)]
pub(super) fn explore(model: &Model, wanted: Option<&str>) -> Found {
    let mut book = Book::new();
    let first = World::new(model.left);
    let mut numbers = HashMap::from([(first.clone(), 0)]);
    let mut reached = vec![Reached { world: first, from: None, depth: 0 }];
    let (mut wrong, mut ends, mut taken_over, mut next) = (BTreeMap::new(), 0, 0, 0);
    let mut steps = Vec::new();
    while next < reached.len() && !wanted.is_some_and(|wanted| wrong.contains_key(wanted)) {
        let (world, depth) = (reached[next].world.clone(), reached[next].depth);
        let mut is_end = true;
        for action in model.actions(&world) {
            let mut here = Vec::new();
            let after = model.act(&mut book, &world, action, &mut here);
            for what in here {
                wrong.entry(what).or_insert_with(|| way(&reached, next, Some(action)));
            }
            let Some(after) = after else { continue };
            let number = *numbers.entry(after).or_insert_with_key(|after| {
                let from = Some((next, action));
                reached.push(Reached { world: after.clone(), from, depth: depth + 1 });
                reached.len() - 1
            });
            if model.is_pending(&world, action) {
                is_end = false;
                steps.push((next, number));
            }
        }
        if is_end && !model.is_hostile {
            let mut here = Vec::new();
            model.check_end(&mut book, &world, &mut here);
            for what in here {
                wrong.entry(what).or_insert_with(|| way(&reached, next, None));
            }
            ends += 1;
            taken_over += usize::from(!world.unseen().both(world.taken_over).is_empty());
        }
        next += 1;
    }
    if next == reached.len()
        && let Some(restless) = restless(reached.len(), &steps)
    {
        wrong.entry("devices come to rest").or_insert_with(|| way(&reached, restless, None));
    }
    let depth = reached.last().map_or(0, |last| last.depth);
    let found = Found { states: reached.len(), depth, ends, taken_over, wrong, signed: book.signed() };
    let how = if next == reached.len() { "all" } else { "until it was found" };
    println!(
        "{:?}: {} states ({how}), depth {}, {} at rest, of these {} with something taken over; {:?} links and commits",
        model.otherwise, found.states, found.depth, found.ends, found.taken_over, found.signed
    );
    for (what, way) in &found.wrong {
        println!("  {what}: {way:?}");
    }
    found
}

/// A state from which devices that only sync and answer need never come to an end.
fn restless(states: usize, steps: &[(usize, usize)]) -> Option<usize> {
    let (mut open, mut before) = (vec![0_u32; states], vec![Vec::new(); states]);
    for (from, to) in steps {
        open[*from] += 1;
        before[*to].push(*from);
    }
    let mut ended: Vec<usize> = (0..states).filter(|state| open[*state] == 0).collect();
    while let Some(state) = ended.pop() {
        for from in &before[state] {
            open[*from] -= 1;
            ended.extend((open[*from] == 0).then_some(*from));
        }
    }
    open.iter().position(|open| *open > 0)
}

fn way(reached: &[Reached], at: usize, last: Option<Action>) -> Vec<Action> {
    let mut way: Vec<Action> = last.into_iter().collect();
    let mut from = reached[at].from;
    while let Some((before, action)) = from {
        way.push(action);
        from = reached[before].from;
    }
    way.reverse();
    way
}

impl Model {
    /// Whether a device that is used had something to do.
    fn is_pending(&self, world: &World, action: Action) -> bool {
        match action {
            Action::Sync(device, super::device::Cut::None) | Action::Answer(device) => {
                self.living(world).contains(&device)
            }
            _ => false,
        }
    }
}
