//! The binary `era`: trains cells, schedules them, and writes the report.

mod again;
mod args;
mod built;
mod commands;
mod device;
mod exit;
mod fault;
mod ledger;
mod logging;
mod preflight;
mod progress;
mod registry;
mod reporting;
mod selection;
mod skipped;
mod survey;
mod text;
mod training;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use indicatif::MultiProgress;

use commands::{claims, compare, completions, needs, paper, report, reproduce, train, verify};
use exit::Exit;
use fault::{Failed, Fault};

/// Several times faster than the system's for the tensors of small networks (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Benchmark suite and paper replication for ERA, entropy regularizing activation.
#[derive(Debug, Parser)]
#[command(name = "era", version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("ERA_COMMIT"), ")"), after_help = args::EXIT_CODES)]
struct Cli {
    /// Log what is done (-vv: everything); RUST_LOG overrules it
    #[arg(short, long, global = true, display_order = 1000, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Reproduce(args::Reproduce),
    Report(args::Report),
    Paper(args::Paper),
    Claims(args::Claims),
    Compare(args::Compare),
    Verify(args::Verify),
    /// Print the script that completes this command's arguments in a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    #[command(hide = true)]
    Train(args::Train),
    #[command(hide = true)]
    Needs(args::Needs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let bars = MultiProgress::new();
    logging::start(cli.verbose, &bars);
    let mut out = std::io::stdout();
    let result =
        run(&cli.command, &bars, &mut out).and_then(|exit| Ok(out.flush().map(|()| exit)?));
    let exit = result.unwrap_or_else(|fault| {
        let exit = fault.exit();
        if !fault.reader_gone() {
            eprintln!("{:?}", miette::Report::new(Failed(fault)));
        }
        exit
    });
    exit.into()
}

fn run(command: &Command, bars: &MultiProgress, out: &mut dyn Write) -> Result<Exit, Fault> {
    match command {
        Command::Reproduce(args) => reproduce::run(args, bars, out),
        Command::Report(args) => report::run(args, out).map(|()| Exit::Done),
        Command::Paper(args) => paper::run(args, out),
        Command::Claims(args) => claims::run(args, out).map(|()| Exit::Done),
        Command::Compare(args) => compare::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Completions { shell } => {
            completions::run(*shell, Cli::command(), out).map(|()| Exit::Done)
        }
        Command::Train(args) => train::run(args, out),
        Command::Needs(args) => needs::run(args, out).map(|()| Exit::Done),
    }
}
