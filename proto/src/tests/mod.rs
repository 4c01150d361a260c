//! Tests of the crate as a whole: canon's properties and the frozen vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api_limits;
mod api_refusals;
mod api_samples;
mod bar_vectors;
mod canon_properties;
mod digest_properties;
mod http_tables;
mod ids;
mod known_kinds;
mod log_vectors;
mod primitive_vectors;
mod refused_bytes;
pub(crate) mod rules;
mod session_vectors;
mod signatures;
mod tables;
pub(crate) mod vector_file;
