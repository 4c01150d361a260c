//! Stories, attacks and house rules of Lockstep.
