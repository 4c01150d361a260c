//! JSON that other programs wrote, and what became of it since: bytes in, values out, one value at a time, so that a
//! fault costs only the value that it stands in.
//!
//! **Invariants:** pure; no recursion but that of values of bounded depth; one pass over the bytes of a value.

pub(crate) mod mend;
#[cfg(test)]
mod mend_tests;
pub(crate) mod parse;
pub(crate) mod place;
pub(crate) mod scan;
pub(crate) mod text;
