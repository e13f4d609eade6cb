//! The subcommands: one file each, with one `run`.

pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod list;
pub(crate) mod needs;
pub(crate) mod paper;
pub(crate) mod report;
pub(crate) mod reproduce;
pub(crate) mod train;
pub(crate) mod verify;
pub(crate) mod why;
