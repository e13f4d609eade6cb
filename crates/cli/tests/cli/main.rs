//! The binary from outside: what a user, a script, a signal and a broken disk see of it.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test may panic as a test may"
)]

mod arguments;
mod chain;
mod claims;
mod compare;
mod engines;
mod faults;
mod files;
mod images;
mod listing;
mod missing;
mod report;
mod resume;
mod support;
mod together;
mod verify;
