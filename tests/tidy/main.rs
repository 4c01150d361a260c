//! The rules of the house, checked on the source tree: who may import whom, how large things are, what may not stand
//! anywhere. A rule that fails names the file and the line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod folders;
mod fuzzed;
mod imports;
mod secrets;
mod seeded;
mod sizes;
mod tree;
mod words;
