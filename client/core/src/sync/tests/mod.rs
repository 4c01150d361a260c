#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod first;
pub(crate) mod fixture;

mod applying;
mod blob_page;
mod building;
mod carrying;
mod claims;
mod headers;
mod merging;
mod patience;
mod planning;
mod rebasing;
mod room;
mod staging;
