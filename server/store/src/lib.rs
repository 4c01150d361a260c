//! The SQL behind the Lockstep server's store port.
