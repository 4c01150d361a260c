//! How many files and sockets the process may have open, and how many connections that allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside connections: the database's files or connections, the listener, the workers' own, standard streams.
const RESERVE: usize = 96;

/// How many connections there are room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// How many have places.
    pub(crate) places: usize,
    /// How many are accepted: a quarter more, since some are not yet counted, and some have lost their place and are not yet
    /// closed.
    pub(crate) accepted: usize,
}

/// Raises the process's limit to what its user may have, and gives it; `None` for no limit.
pub(crate) fn raise() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if current == maximum || raised() { maximum } else { current };
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// As much room as is wanted, or as so many descriptors allow.
pub(crate) fn room(wanted: usize, descriptors: Option<usize>) -> Room {
    let left = descriptors.map_or(usize::MAX, |limit| limit.saturating_sub(RESERVE));
    let places = wanted.min(left / 5 * 4);
    Room { places, accepted: places + places / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_the_rest() {
        for (descriptors, places, accepted) in [
            (None, 1_024, 1_280),
            (Some(1 << 20), 1_024, 1_280),
            (Some(1_024), 740, 925),
            (Some(256), 128, 160),
            (Some(100), 0, 0),
            (Some(0), 0, 0),
        ] {
            assert_eq!(room(1_024, descriptors), Room { places, accepted }, "{descriptors:?}");
        }
    }

    #[test]
    fn the_limit_is_raised_to_what_the_user_may_have() {
        let raised = raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(raised, maximum.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    }
}
