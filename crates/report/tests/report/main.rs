//! The report from end to end: records that the harness itself wrote, through templates, to files.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod browser;
mod check;
mod claims;
mod common;
mod figures;
mod llm;
mod page;
mod page_in_browser;
mod tables;
mod vision;
