//! What this program was built from, for the record of every run.

use std::collections::BTreeMap;

/// Commit, with `-dirty` when the sources differed from it; `unknown` outside git.
pub(crate) const COMMIT: &str = env!("ERA_COMMIT");

/// Versions by name: `era`, `rustc`, and what computes.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let own = [
        ("era", env!("CARGO_PKG_VERSION")),
        ("rustc", env!("ERA_RUSTC")),
    ];
    let packages = env!("ERA_VERSIONS")
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    own.into_iter()
        .chain(packages)
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}
