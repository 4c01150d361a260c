//! Documents, merge and sync of a Lockstep vault.
