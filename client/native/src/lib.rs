//! Lockstep's adapters for desktop and mobile.
