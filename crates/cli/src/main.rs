//! The binary `era`.

mod args;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "era", version, about, after_help = args::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Reproduce(args::Reproduce),
    Report(args::Report),
    Paper(args::Paper),
    #[command(hide = true)]
    Train(args::Train),
    #[command(hide = true)]
    Needs(args::Needs),
}

fn main() {
    let _ = Cli::parse();
}
