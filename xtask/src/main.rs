//! The driver `cargo xtask`: prepares native parts, builds the `era` binary, hands over to it, and runs the checks.
//!
//! It links clap, xshell and the standard library, nothing else, so that it answers within seconds of a fresh clone.
//! One subcommand, one file; this one only dispatches.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xshell::Shell;

// The binary's own definitions: a wrong argument is told, and `--help` answered, before anything is built.
#[path = "../../crates/cli/src/args.rs"]
mod args;
mod bench;
mod doctor;
mod era;
mod failure;
mod forward;
mod paths;
mod setup;
mod test;

use failure::Failure;

/// Drives the ERA benchmark suite: training, reports, checks, native parts.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Reproduce(args::Reproduce),
    Report(args::Report),
    Paper(args::Paper),
    Claims(args::Claims),
    Compare(args::Compare),
    Verify(args::Verify),
    /// Fetch a native part, pinned and checked, or a data set
    Setup(setup::Args),
    /// Say what is there, what is missing and the command that brings it
    Doctor,
    /// Check formatting, clippy, tests and documentation
    Test(test::Args),
    /// Run the benchmarks
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    let sh = Shell::new()?;
    sh.change_dir(paths::root());
    // A relative `CARGO_TARGET_DIR` means a folder seen from where the driver was called.
    sh.set_var("CARGO_TARGET_DIR", paths::target());
    match command {
        Command::Reproduce(args) => forward::reproduce(&sh, args),
        Command::Report(_) | Command::Paper(_) | Command::Claims(_) | Command::Compare(_) => {
            forward::unchanged(&sh)
        }
        Command::Verify(args) => forward::verify(&sh, args),
        Command::Setup(args) => setup::run(&sh, args),
        Command::Doctor => doctor::run(&sh),
        Command::Test(args) => test::run(&sh, args),
        Command::Bench(args) => bench::run(&sh, args),
    }
}
