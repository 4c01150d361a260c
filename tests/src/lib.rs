//! The harness of Lockstep's stories: real servers, real clients, faulty networks.
