//! The command line. `xtask` includes this file, so that it refuses wrong arguments before anything is built: it may
//! use clap and the standard library, nothing else.

use std::path::PathBuf;
use std::time::Duration;

/// What every exit code means, as `--help` shows it; `exit.rs` has the codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  everything asked for was done
    1  a bug or an unforeseen fault
    2  wrong arguments
    3  an experiment file or the file of claims is wrong, or nothing in it matches
    4  some cells failed; the others are finished and recorded
    5  device, native part, baseline or disk: something outside is missing or damaged
    6  generated files are stale (paper --check)
    7  a row is worse than its baseline (compare), or runs that must be equal are not (verify)
  130  interrupted; the same command resumes";

/// Which cells are meant.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Selection {
    /// Experiments: all of a suite (control), a name in the experiments folder (control-ppo, ablations/NAME), a path to a .yaml
    /// file, or `all`
    ///
    /// `all` means every file directly in the experiments folder. Repeat the option, or put commas between names, to
    /// choose several. A cell that several experiments share is run once.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "all"
    )]
    pub(crate) suite: Vec<String>,

    /// Budgets to run at: smoke (minutes), cpu (hours), paper (the paper's own)
    #[arg(long, value_name = "SCALE", default_value = "smoke")]
    pub(crate) scale: String,

    /// Only cells with this task, method, seed or parameter (repeatable; several values: method=sac,sac-era)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) only: Vec<String>,

    /// What computes tensors: flex (pure Rust), libtorch, libtorch-cuda:N, wgpu (Vulkan), cuda:N, or auto for the best there is
    ///
    /// Several devices of one engine share the cells: libtorch-cuda:0,libtorch-cuda:1. The engine is part of a cell: records of
    /// another one do not count as done.
    #[arg(
        long,
        value_name = "DEVICE",
        value_delimiter = ',',
        default_value = "auto"
    )]
    pub(crate) device: Vec<String>,

    #[command(flatten)]
    pub(crate) folders: Folders,
}

/// Where things are.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Folders {
    /// Experiment files
    #[arg(
        long,
        value_name = "DIR",
        default_value = "experiments",
        help_heading = "Folders"
    )]
    pub(crate) experiments: PathBuf,

    /// Run records
    #[arg(
        long,
        value_name = "DIR",
        default_value = "artifacts",
        help_heading = "Folders"
    )]
    pub(crate) artifacts: PathBuf,

    /// The paper: its templates, and generated/SCALE for tables, figures and numbers
    #[arg(
        long,
        value_name = "DIR",
        default_value = "paper",
        help_heading = "Folders"
    )]
    pub(crate) paper: PathBuf,

    /// Numbers that others published, the claims that are judged, and frozen records
    #[arg(
        long,
        value_name = "DIR",
        default_value = "baselines",
        help_heading = "Folders"
    )]
    pub(crate) baselines: PathBuf,

    #[command(flatten)]
    pub(crate) cache: Cache,
}

/// Where runs leave what other runs read.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Cache {
    /// What runs make for others to start from: policies
    #[arg(
        long,
        value_name = "DIR",
        default_value = "target/cache",
        help_heading = "Folders"
    )]
    pub(crate) cache_dir: PathBuf,
}

/// Train what is missing, then write tables and figures
///
/// Finished cells are never run again, unfinished ones go on from their last checkpoint. A cell that fails costs
/// itself only: its reason is recorded, the others go on, and the command ends with exit code 4.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Reproduce {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Show every cell, its state and an estimate of its time; run nothing
    #[arg(long, conflicts_with = "why")]
    pub(crate) list: bool,

    /// Say why a cell would run or would not, and what makes it differ from the nearest record; run nothing
    ///
    /// CELL is a cell's name as `--list` shows it, or any part of it that no other cell has.
    #[arg(long, value_name = "CELL")]
    pub(crate) why: Option<String>,

    /// Cells to train at the same time [default: one a core]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Train finished cells again; a record is replaced only when the new one is whole
    #[arg(long)]
    pub(crate) force: bool,

    /// Run only the cells that are expected to fit this time (90s, 20m, 1h30m); says first what it leaves out
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<Duration>,

    /// Longest time that one cell may take (90s, 20m, 1h30m) [default: as its experiment says]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time_limit: Option<Duration>,

    /// Time that a run has to write its last checkpoint when it is stopped or out of time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) grace: Duration,

    #[command(flatten)]
    pub(crate) checkpoints: Checkpoints,
}

/// How often runs write checkpoints.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Checkpoints {
    /// Time between two checkpoints of a run (30s, 5m), or Nx: each N-th time that it could write one
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = checkpoint_every)]
    pub(crate) checkpoint_every: CheckpointEvery,
}

/// How often a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointEvery {
    /// When this much time has passed since the last one.
    Time(Duration),
    /// Each time the run has asked this often since the last one: repeatable, for tests.
    Asked(u64),
}

/// Write tables, figures and numbers from the records that exist; train nothing
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// Make the paper from the records: tables, figures, numbers, and the PDF where LaTeX is installed
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Paper {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Typeset the PDF with pdflatex
    #[arg(long)]
    pub(crate) pdf: bool,

    /// Write nothing; fail when a generated file differs from what the records say
    #[arg(long, conflicts_with = "pdf")]
    pub(crate) check: bool,
}

/// Say what the records make of every claim of the paper: reproduced, not, undecided, or not testable here
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Claims {
    /// Scale of the records
    #[arg(long, value_name = "SCALE", default_value = "cpu")]
    pub(crate) scale: String,

    /// Print the ledger as JSON, with the cells behind every verdict
    #[arg(long)]
    pub(crate) json: bool,

    /// What computed tensors: it is part of what a run is
    #[arg(
        long,
        value_name = "DEVICE",
        value_delimiter = ',',
        default_value = "auto"
    )]
    pub(crate) device: Vec<String>,

    #[command(flatten)]
    pub(crate) folders: Folders,
}

/// What `compare --help` ends with.
const COMPARE_EXAMPLES: &str = "\
Examples:
  cargo xtask compare --scale cpu                      against baselines/recorded/cpu.json
  cargo xtask compare --suite vision --margin 1%       a loss of more than 1 % counts
  cargo xtask compare --scale cpu --against /yesterday/artifacts
  cargo xtask compare --scale cpu --markdown > comment.md
  cargo xtask compare --scale cpu --freeze             makes the baseline from the records";

/// Say whether a method is worse than it was: records against frozen ones, or against another folder of records
///
/// One row a task and method: better, no worse than the margin, worse, undecided (with the loss that these seeds could have
/// shown), or identical bit for bit. Runs are paired by seed where both sides have the seeds. Trains nothing.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = format!("{COMPARE_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// What to compare with: a file of frozen records, or another folder of run records [default: recorded/SCALE.json in the
    /// folder of baselines]
    #[arg(long, value_name = "PATH")]
    pub(crate) against: Option<PathBuf>,

    /// Loss that is accepted, as a share of the baseline's score
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = percentage)]
    pub(crate) margin: f64,

    /// End with 7 too when a row is undecided
    #[arg(long)]
    pub(crate) fail_on_undecided: bool,

    /// Print a comment for a pull request, as GitHub's Markdown
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the chosen records' scores to the file of frozen records; those of other configurations in it stay
    #[arg(long, conflicts_with_all = ["markdown", "json", "fail_on_undecided"])]
    pub(crate) freeze: bool,
}

/// What `verify --help` ends with.
const VERIFY_EXAMPLES: &str = "\
Examples:
  cargo xtask verify                                   the cheapest cell of every experiment
  cargo xtask verify --suite llm --only method=grpo-era
  cargo xtask verify --suite control-ppo --scale cpu --cell half-cheetah.ppo.s0
  cargo xtask verify --suite vision --keep             leaves the records of all runs
  cargo xtask verify --engines flex,libtorch           do two engines compute the same?";

/// Say whether runs repeat: a cell trained twice from nothing, and once killed in the middle and resumed, equal bit for bit
///
/// Runs in temporary folders and touches no record. The record of the same cell in the artifacts folder is compared too; where
/// it was made on another type of machine, that it differs is said and is no fault.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(after_help = format!("{VERIFY_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// The cell, by its name or a part that no other chosen cell has (repeatable) [default: the cheapest of each experiment]
    #[arg(long, value_name = "CELL")]
    pub(crate) cell: Vec<String>,

    /// How often the run that is killed writes checkpoints (30s, 5m), or Nx: each N-th time that it could write one
    ///
    /// A run that ends before the first one is tried again with a checkpoint each time that it can write one.
    #[arg(long, value_name = "TIME", default_value = "25x", value_parser = checkpoint_every)]
    pub(crate) checkpoint_every: CheckpointEvery,

    /// Keep the temporary folders, and say where they are
    #[arg(long)]
    pub(crate) keep: bool,

    /// Hold engines to each other instead, two or more: flex,libtorch; libtorch-cuda:1
    ///
    /// The first ten updates of a method of each suite, from the same weights on the same data. Losses, gradients and parameters may differ
    /// by what 32-bit floats explain. Ends with 7 where they differ by more, and says in what.
    #[arg(long, value_name = "DEVICE,DEVICE", value_parser = engines, conflicts_with_all = ["cell", "keep"])]
    pub(crate) engines: Option<Engines>,
}

/// Engines that are compared, at least two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engines(pub(crate) Vec<String>);

/// Train one cell (started by `reproduce`, one process a cell)
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Train {
    /// Folder of the cell, with its cell.json
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// Number of the device, among those of the cell's engine, to compute on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) device_index: usize,

    /// Report progress as JSON lines on standard output, and end when standard input does
    #[arg(long)]
    pub(crate) driven: bool,

    #[command(flatten)]
    pub(crate) checkpoints: Checkpoints,

    #[command(flatten)]
    pub(crate) cache: Cache,
}

/// Print the native parts that the chosen cells need and this build lacks, one a line
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub(crate) struct Needs {
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// `KEY=VALUE`, as text: which keys there are, the experiment says.
fn key_value(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("must be KEY=VALUE, for example task=mini/reacher or method=sac,sac-era".into()),
    }
}

/// Names with commas between them.
fn engines(text: &str) -> Result<Engines, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.len() < 2 || names.iter().any(String::is_empty) {
        return Err("must be two engines or more, for example flex,libtorch".into());
    }
    Ok(Engines(names))
}

/// `5%` as 0.05: from 0 % to below 100 %.
fn percentage(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').map(str::trim);
    match number.map(str::parse::<f64>) {
        Some(Ok(number)) if (0.0..100.0).contains(&number) => Ok(number / 100.0),
        _ => Err("must be a percentage from 0% to below 100%, such as 5% or 2.5%".into()),
    }
}

/// `60s`, `5m`, or `10x` for every tenth time asked.
fn checkpoint_every(text: &str) -> Result<CheckpointEvery, String> {
    match text.strip_suffix('x').map(str::parse) {
        Some(Ok(asked)) if asked > 0 => Ok(CheckpointEvery::Asked(asked)),
        _ => duration(text).map(CheckpointEvery::Time),
    }
}

/// A time of at least a millisecond: numbers with units `ms`, `s`, `m`, `h`, `d`, one after the other (`1h30m`).
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a time above zero such as 90s, 20m or 1h30m".to_owned();
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (unit, tail) = tail.split_at(letters);
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        millis = number
            .checked_mul(unit)
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(wrong)?;
        rest = tail;
    }
    if millis == 0 {
        return Err(wrong());
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("90s", 90_000),
            ("20m", 1_200_000),
            ("1h30m", 5_400_000),
            ("5ms", 5),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "0s",
            "20",
            "m",
            "-5m",
            "1.5h",
            "20 m",
            "20M",
            "99999999999999999999d",
            "ü",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn checkpoints_by_time_or_by_count() {
        let minute = CheckpointEvery::Time(Duration::from_mins(1));
        assert_eq!(checkpoint_every("60s"), Ok(minute));
        assert_eq!(checkpoint_every("10x"), Ok(CheckpointEvery::Asked(10)));
        assert!(checkpoint_every("0x").is_err());
        assert!(checkpoint_every("x").is_err());
    }

    #[test]
    fn engines_are_compared_in_twos_or_more() {
        let named = |names: &[&str]| Ok(Engines(names.iter().map(|&name| name.into()).collect()));
        assert_eq!(engines("flex,libtorch"), named(&["flex", "libtorch"]));
        assert_eq!(engines("a, b:1,a"), named(&["a", "b:1", "a"]));
        for text in ["", "flex", "flex,", ",flex", "a,,b"] {
            assert!(engines(text).is_err(), "{text}");
        }
    }

    #[test]
    fn margins_are_percentages() {
        for (text, share) in [("5%", 0.05), ("2.5 %", 0.025), ("0%", 0.0)] {
            assert_eq!(percentage(text), Ok(share), "{text}");
        }
        for text in ["5", "0.05", "-1%", "100%", "%", "nan%", "five%", ""] {
            assert!(percentage(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_takes_a_key_and_a_value() {
        assert!(key_value("method=sac,sac-era").is_ok());
        for text in ["sac", "=sac", "method=", " = "] {
            assert!(key_value(text).is_err(), "{text}");
        }
    }
}
