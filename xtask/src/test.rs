//! `cargo xtask test`: what has to hold before anything is committed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use xshell::{Cmd, Shell, cmd};

use crate::era;
use crate::failure::Failure;

/// Runs the steps one after the other and stops at the first that fails.
pub(crate) fn run(sh: &Shell) -> Result<ExitCode, Failure> {
    // One pass, with the native parts that are set up: the features reach the few crates that use those parts, so
    // engines and frames are compiled once whether or not they are on.
    let features = &era::features(sh, "era-cli");
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
