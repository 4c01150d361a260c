//! Small tools around items: what an app offers beside storing them.
//!
//! **Invariants:** pure; time and randomness are arguments; nothing here stores or sends anything.
