//! The two logs.
