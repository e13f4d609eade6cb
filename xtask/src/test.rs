//! `cargo xtask test`: what has to hold before anything is committed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use xshell::{Cmd, Shell, cmd};

use crate::era;
use crate::failure::Failure;

/// Runs the steps one after the other and stops at the first that fails.
pub(crate) fn run(sh: &Shell) -> Result<ExitCode, Failure> {
    // With MuJoCo set up one pass tests both: the feature adds tests and takes none away, and a second pass without it
    // would compile everything that depends on it again.
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
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02.0} s", seconds as u64 / 60, seconds % 60.0)
    }
}
