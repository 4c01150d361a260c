#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod first;
mod fixture;

mod applying;
mod blob_page;
mod in_flight;
mod merging;
mod patience;
mod planning;
mod rebasing;
mod rejoining;
mod room;
mod staging;
