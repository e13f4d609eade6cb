//! `cargo xtask bench`: the criterion benchmarks, other libraries beside our own, and engines beside one another.

mod comparisons;
mod engines;
mod peers;
mod python;
mod table;

use std::fs;
use std::process::ExitCode;

use xshell::{Shell, cmd};

use crate::era;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this file of benchmarks: bootstrap, steps, policy, update, train…
    #[arg(long, value_name = "NAME", default_value = "*")]
    bench: String,

    /// Compare speeds with other libraries, one after the other (`baselines/peers`; installs 7 GB once)
    #[arg(long, conflicts_with_all = ["bench", "criterion"])]
    peers: bool,

    /// Compare engines, one after the other: what each does a second, and what ERA costs on it
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = engines::NAMES, conflicts_with_all = ["bench", "peers", "criterion"])]
    engines: Vec<String>,

    /// What criterion gets, for example a part of a benchmark's name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    criterion: Vec<String>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<ExitCode, Failure> {
    let Args {
        bench,
        peers,
        engines,
        criterion,
    } = args;
    if *peers {
        return peers::run(sh);
    }
    if !engines.is_empty() {
        return engines::run(sh, engines);
    }
    let features = era::features(sh, &[]);
    // The whole workspace even for one file: chosen packages would resolve other features, and compile burn again.
    cmd!(
        sh,
        "cargo bench --workspace {features...} --bench {bench} -- {criterion...}"
    )
    .quiet()
    .run()
    .map_err(|_| Failure::new("failed to run the benchmarks; cargo says why above"))?;
    Ok(ExitCode::SUCCESS)
}

/// The machine's load over the last minute, where the system says it.
fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}
