//! `cargo xtask bench --peers`: the speed of other libraries beside our own, in one sitting.
//!
//! Everything runs one after the other, since two measurements side by side slow each other down. The peers' scripts
//! print one line of JSON each, our benchmarks criterion's one line each.

use std::fs;
use std::io::Write as _;
use std::process::ExitCode;

use xshell::{Shell, cmd};

use super::python::Python;
use super::table::{self, Row, Section};
use crate::failure::Failure;
use crate::{era, paths, setup};

/// The benchmarks of our own are in this file of `crates/control/benches`.
const BENCH: &str = "update";
const PRODUCT: &str = "product/256x256x256";
/// Floating-point operations of that product.
const PRODUCT_FLOP: f64 = 2.0 * 256.0 * 256.0 * 256.0;

/// What is compared: our benchmark of one environment step, and the script and libraries beside it.
struct Comparison {
    title: &'static str,
    ours: &'static str,
    script: &'static str,
    libraries: &'static [&'static str],
}

const COMPARISONS: [Comparison; 2] = [
    Comparison {
        title: "SAC, 2x256, batch 256, one update a step",
        ours: "step/gym/half-cheetah/2x256/plain/sac",
        script: "sac_speed.py",
        libraries: &["sb3", "sbx"],
    },
    Comparison {
        title: "PPO, 2x64, 8 x 2,048 steps, batch 64, 10 epochs (cleanrl: 1 x 2,048 steps)",
        ours: "step/gym/half-cheetah/2x64/ppo",
        script: "ppo_speed.py",
        libraries: &["sb3", "sbx", "cleanrl"],
    },
];

pub(super) fn run(sh: &Shell) -> Result<ExitCode, Failure> {
    if setup::mujoco().is_none() {
        return Err(
            Failure::new("failed to find MuJoCo: the speeds are those of HalfCheetah")
                .remedy("cargo xtask setup mujoco")
                .outside(),
        );
    }
    let python = Python::with_peers(sh)?;
    // Nothing compiles while something is measured.
    let features = &era::features(sh, "era-cli");
    cmd!(
        sh,
        "cargo bench --workspace {features...} --bench {BENCH} --no-run"
    )
    .quiet()
    .run()
    .map_err(|_| Failure::new("failed to build the benchmarks; cargo says why above"))?;

    eprintln!("measuring, one after the other; about 6 minutes in which nothing else should run");
    let before = load();
    let ours = ours(sh, features)?;
    let product = product(sh, &python, &ours)?;
    let sections = COMPARISONS
        .iter()
        .map(|comparison| compare(sh, &python, comparison, &ours))
        .collect::<Result<Vec<_>, _>>()?;
    let report = report(before.as_deref(), &product, &sections);
    // What the command is for: everything else goes to standard error.
    std::io::stdout().write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn report(load: Option<&str>, product: &str, sections: &[Section]) -> String {
    let mut lines = vec!["environment steps a second, HalfCheetah-v5, one thread".to_owned()];
    lines.extend(load.map(|load| format!("load before the first measurement: {load}")));
    lines.push(format!("{product}\n"));
    lines.extend(sections.iter().map(table::render));
    lines.push(
        "fastest: the fastest stretch (100 steps of SAC, one iteration of PPO); ours/it compares those\n"
            .to_owned(),
    );
    lines.join("\n")
}

/// What criterion printed for the benchmarks that are compared.
fn ours(sh: &Shell, features: &[String]) -> Result<String, Failure> {
    let names: Vec<&str> = std::iter::once(PRODUCT)
        .chain(COMPARISONS.iter().map(|comparison| comparison.ours))
        .collect();
    let filter = format!("^({})$", names.join("|"));
    eprintln!("  ours");
    // This format has one line for each benchmark, with plain nanoseconds.
    cmd!(
        sh,
        "cargo bench --workspace {features...} --bench {BENCH} -- --output-format bencher {filter}"
    )
    .quiet()
    .read()
    .map_err(|_| Failure::new("failed to run our benchmarks; cargo says why above"))
}

fn compare(
    sh: &Shell,
    python: &Python,
    comparison: &Comparison,
    ours: &str,
) -> Result<Section, Failure> {
    let Comparison { title, script, .. } = *comparison;
    let mut peers = Vec::new();
    for &library in comparison.libraries {
        let line = python.script(sh, script, &["--library", library])?;
        peers.push(Row {
            name: library.to_owned(),
            mean: number(&line, "steps_per_second", script)?,
            fastest: number(&line, "fastest", script)?,
            load: table::number(&line, "load_1m"),
        });
    }
    let ours = table::nanoseconds(ours, comparison.ours).map(|step| 1e9 / step);
    if ours.is_none() {
        eprintln!(
            "no benchmark is called {}: no ratio for it",
            comparison.ours
        );
    }
    Ok(Section { title, ours, peers })
}

/// The machine's rate in this sitting, ours and torch's.
fn product(sh: &Shell, python: &Python, ours: &str) -> Result<String, Failure> {
    let script = "product.py";
    let line = python.script(sh, script, &["--library", "torch"])?;
    let torch = number(&line, "gflops", script)?;
    Ok(match table::nanoseconds(ours, PRODUCT) {
        Some(ours) => format!(
            "product 256x256x256: ours {:.0} GFLOP/s, torch {torch:.0} GFLOP/s",
            PRODUCT_FLOP / ours
        ),
        None => format!("product 256x256x256: torch {torch:.0} GFLOP/s"),
    })
}

/// A number that a script has to print.
fn number(line: &str, field: &str, script: &str) -> Result<f64, Failure> {
    table::number(line, field).ok_or_else(|| {
        let script = paths::shown(&super::python::folder().join(script));
        Failure::new(format!(
            "failed to find `{field}` in what {script} printed: {line:?}"
        ))
    })
}

/// The machine's load over the last minute, where the system says it.
fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_there() {
        for script in COMPARISONS.map(|comparison| comparison.script) {
            assert!(super::super::python::folder().join(script).is_file());
        }
    }

    #[test]
    fn a_missing_number_names_the_script() {
        let failure = number("{}", "fastest", "sac_speed.py").unwrap_err();
        let message = failure.to_string();
        assert!(
            message.contains("`fastest`") && message.contains("baselines/peers/sac_speed.py"),
            "{message}"
        );
    }
}
