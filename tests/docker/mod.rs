//! The image and the compose files of `deploy`, in a Docker engine, as people use them. `.ci/docker` starts an engine,
//! builds the image and runs these tests.

mod confined;
mod deployment;
mod engine;
mod image;
mod kept;
mod killed;
mod stories;
mod unit;
