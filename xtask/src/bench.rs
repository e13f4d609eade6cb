//! `cargo xtask bench`: the criterion benchmarks.

use std::process::ExitCode;

use xshell::{Shell, cmd};

use crate::era;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What criterion gets, for example a part of a benchmark's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    criterion: Vec<String>,
}

/// The packages with benchmarks.
const PACKAGES: [&str; 2] = ["era-stats", "era-control"];

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<ExitCode, Failure> {
    let features = era::features(sh, "era-control");
    let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
    let criterion = &args.criterion;
    // `--benches` would also run the unit tests of libraries, which do not know criterion's arguments.
    cmd!(
        sh,
        "cargo bench {packages...} {features...} --bench * -- {criterion...}"
    )
    .quiet()
    .run()?;
    Ok(ExitCode::SUCCESS)
}
