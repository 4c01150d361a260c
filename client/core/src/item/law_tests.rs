//! The laws of merge.
