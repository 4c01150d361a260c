//! What the system keeps others, and the disk, from reading of a process that holds a key.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core file of this process is written.
pub(crate) fn leave_no_core() {
    // Lowering a limit of one's own fails nowhere that matters: without it the system's default holds.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Nothing of this process is written to a core file or, as far as the system's limits allow, to swap; and on Linux no
/// other process of the same user attaches to it or reads its memory (`PR_SET_DUMPABLE` in prctl(2)).
///
/// Commands that live for a moment do the first alone: a process of that kind cannot open `/dev/fd/N` any more, which is
/// how a shell hands over the output of another program.
pub(crate) fn seclude() {
    leave_no_core();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let _ = rustix::mm::mlockall(rustix::mm::MlockAllFlags::CURRENT);
    }
}
