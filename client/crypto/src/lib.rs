//! Keys, envelopes, slots and sign-in of a Lockstep client.
