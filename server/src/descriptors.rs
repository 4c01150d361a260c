//! How many files and sockets the process may have open, and how many connections that allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside connections: the database's files or connections, the listener, the workers' own, standard streams.
const RESERVE: usize = 96;
/// Connections that are accepted and not yet counted, or have lost their place and are not yet closed.
pub(crate) const SLACK: usize = 64;

/// Raises the process's limit to what its user may have, and gives it; `None` for no limit.
pub(crate) fn raise() -> Option<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many connections fit, of as many as are wanted.
pub(crate) fn connections(wanted: usize, descriptors: Option<usize>) -> usize {
    descriptors.map_or(wanted, |limit| limit.saturating_sub(RESERVE + SLACK).min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_the_rest() {
        assert_eq!(connections(2_048, None), 2_048);
        assert_eq!(connections(2_048, Some(1 << 20)), 2_048);
        assert_eq!(connections(2_048, Some(1_024)), 864);
        assert_eq!(connections(2_048, Some(256)), 96);
        assert_eq!(connections(2_048, Some(100)), 0);
    }

    #[test]
    fn the_limit_is_raised_to_what_the_user_may_have() {
        let raised = raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(raised, maximum.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    }
}
