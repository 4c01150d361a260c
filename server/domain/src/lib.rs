//! Services, rules and ports of the Lockstep server.
