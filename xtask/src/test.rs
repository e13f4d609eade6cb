//! `cargo xtask test`: what has to hold before anything is committed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use xshell::{Cmd, Shell, cmd};

use crate::era::{self, Engine};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what this engine adds: its kernels, its adapter of ERA, runs and agreement on it; sets it up first
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<ExitCode, Failure> {
    match args.engine {
        None => everything(sh),
        Some(engine) => with(sh, engine),
    }
}

fn everything(sh: &Shell) -> Result<ExitCode, Failure> {
    // One pass, with MuJoCo where it is set up: the feature reaches the few crates that use it, so engines and frames are compiled once
    // whether or not it is on.
    let features = &era::features(sh, &[]);
    if features.is_empty() {
        eprintln!(
            "mujoco is not set up: its tests are left out (`cargo xtask setup mujoco` brings it)"
        );
    }
    let steps = [
        cmd!(sh, "cargo fmt --all --check"),
        cmd!(
            sh,
            "cargo clippy --release --workspace --all-targets {features...} -- --deny warnings"
        ),
        cmd!(sh, "cargo test --release --workspace {features...}"),
        cmd!(
            sh,
            "cargo doc --release --workspace --lib --no-deps {features...}"
        )
        .env("RUSTDOCFLAGS", "--deny warnings"),
    ];
    all(steps)
}

/// The tests that another engine adds.
fn with(sh: &Shell, engine: Engine) -> Result<ExitCode, Failure> {
    engine.set_up(sh)?;
    let features = &era::features(sh, &[engine]);
    let packages = &["era", "era-nn", "era-cli"].map(|name| format!("--package={name}"));
    let (adapter, tests): (&[&str], Vec<&str>) = match engine {
        Engine::Libtorch => (
            &["--features=era/tch"],
            vec![
                "--test=tch",
                "--test=golden",
                "--test=examples",
                "--test=engines",
            ],
        ),
        Engine::Wgpu | Engine::Cuda => (&[], vec!["--test=engines"]),
    };
    // Of these two alone, so that what stands on them is not checked twice.
    let own = &engine.lint_features();
    all([
        cmd!(
            sh,
            "cargo clippy --release --package=era --package=era-nn --all-targets {own...} -- --deny warnings"
        ),
        cmd!(
            sh,
            "cargo test --release {packages...} {features...} {adapter...} {tests...}"
        ),
        // Of the binary's tests those that are about engines; the others are those of any build.
        cmd!(
            sh,
            "cargo test --release {packages...} {features...} {adapter...} --test=cli -- engines"
        ),
    ])
}

/// Runs the steps one after the other and stops at the first that fails.
fn all<'a>(steps: impl IntoIterator<Item = Cmd<'a>>) -> Result<ExitCode, Failure> {
    let steps: Vec<Cmd<'a>> = steps.into_iter().collect();
    let count = steps.len();
    let mut times = Vec::new();
    for (at, step) in steps.into_iter().enumerate() {
        let shown = step.to_string();
        eprintln!("[{}/{count}] {shown}", at + 1);
        times.push((timed(step, &shown)?, shown));
    }
    eprintln!("\nall checks passed");
    for (time, shown) in times {
        eprintln!("  {:>7}  {shown}", seconds(time));
    }
    Ok(ExitCode::SUCCESS)
}

fn timed(step: Cmd<'_>, shown: &str) -> Result<Duration, Failure> {
    let start = Instant::now();
    let outcome = step.quiet().run();
    let time = start.elapsed();
    match outcome {
        Ok(()) => {
            eprintln!("      passed in {}\n", seconds(time));
            Ok(time)
        }
        Err(_) => Err(
            Failure::new(format!("failed to pass this check after {}", seconds(time)))
                .remedy(shown),
        ),
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (millis, expected) in [
            (40, "0.0 s"),
            (59_900, "59.9 s"),
            (60_000, "1 min 00 s"),
            (725_999, "12 min 05 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }
}
