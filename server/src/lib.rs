//! The Lockstep server over HTTP.
