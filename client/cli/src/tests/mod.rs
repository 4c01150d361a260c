//! The command line as scripts rely on it: what is understood, how each failure ends, what is shown.

#![allow(clippy::unwrap_used, clippy::panic)]

mod arguments;
mod endings;
mod shown;
