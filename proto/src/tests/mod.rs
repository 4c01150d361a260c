//! Tests of the crate as a whole: canon's properties and the frozen vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod canon_properties;
mod digest_properties;
mod log_vectors;
mod primitive_vectors;
mod vector_file;
