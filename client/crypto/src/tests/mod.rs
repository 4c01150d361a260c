//! What holds for the crate as a whole: secrets stay secret, a person's account works from sign-up to recovery, and
//! what a hostile server tries with sealed bytes fails.

mod account;
mod attacks;
mod secrecy;
