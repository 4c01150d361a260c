//! Request and response types.
