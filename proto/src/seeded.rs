//! Bugs that are put in on purpose, to prove that the tests find them.
//!
//! With the feature `seeded-bugs`, [`seeded!`](crate::seeded!) asks for one of them by name, and the variable
//! `LOCKSTEP_SEEDED_BUG` says which one is in. Without the feature, in everything that is released, it is the word
//! `false`. Which test finds which: `tests/SEEDED.md`; `.ci/seeded` tries them all.

#[cfg(all(feature = "seeded-bugs", not(debug_assertions)))]
compile_error!("seeded bugs are for tests: nothing that is released may hold them");

/// Whether the bug of that name is in: `seeded!("name")`.
#[cfg(feature = "seeded-bugs")]
#[macro_export]
macro_rules! seeded {
    ($name:literal) => {
        $crate::seeded::is_in($name)
    };
}

/// Whether the bug of that name is in: never.
#[cfg(not(feature = "seeded-bugs"))]
#[macro_export]
macro_rules! seeded {
    ($name:literal) => {
        false
    };
}

/// Whether `LOCKSTEP_SEEDED_BUG` names this bug.
#[cfg(feature = "seeded-bugs")]
pub fn is_in(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("LOCKSTEP_SEEDED_BUG").ok()).as_deref() == Some(name)
}
