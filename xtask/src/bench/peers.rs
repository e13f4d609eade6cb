//! `cargo xtask bench --peers`: the speed of other libraries beside our own, in one sitting.
//!
//! Everything runs one after the other, since two measurements side by side slow each other down. The peers' scripts
//! print one line of JSON each, our benchmarks criterion's one line each.

use std::io::Write as _;
use std::process::ExitCode;

use xshell::{Shell, cmd};

use super::comparisons::{Comparison, TABLES, Unit, benches, comparisons};
use super::python::Python;
use super::table::{self, Row, Section};
use crate::failure::Failure;
use crate::{era, paths, setup};

const PRODUCT: &str = "product/256x256x256";
/// Floating-point operations of that product.
const PRODUCT_FLOP: f64 = 2.0 * 256.0 * 256.0 * 256.0;

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
    let features = &era::features(sh, &[]);
    let benches = benches();
    cmd!(
        sh,
        "cargo bench --workspace {features...} {benches...} --no-run"
    )
    .quiet()
    .run()
    .map_err(|_| Failure::new("failed to build the benchmarks; cargo says why above"))?;

    eprintln!(
        "measuring, one after the other; about half an hour in which nothing else should run"
    );
    let before = super::load();
    let ours = ours(sh, features)?;
    let product = product(sh, &python, &ours)?;
    let mut tables = Vec::new();
    for (unit, comparisons) in TABLES {
        let sections = comparisons
            .iter()
            .map(|comparison| compare(sh, &python, unit, comparison, &ours))
            .collect::<Result<Vec<_>, _>>()?;
        tables.push((unit, sections));
    }
    let report = report(before.as_deref(), &product, &tables);
    // What the command is for: everything else goes to standard error.
    std::io::stdout().write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn report(load: Option<&str>, product: &str, tables: &[(&Unit, Vec<Section>)]) -> String {
    let mut lines = Vec::new();
    lines.extend(load.map(|load| format!("load before the first measurement: {load}")));
    lines.push(format!("{product}\n"));
    for (unit, sections) in tables {
        lines.push(format!("{}\n", unit.title));
        lines.extend(sections.iter().map(table::render));
        lines.push(format!("{}\n", unit.note));
    }
    lines.join("\n")
}

/// What criterion printed for the benchmarks that are compared.
fn ours(sh: &Shell, features: &[String]) -> Result<String, Failure> {
    let names: Vec<&str> = std::iter::once(PRODUCT)
        .chain(comparisons().map(|comparison| comparison.ours))
        .collect();
    let filter = format!("^({})$", names.join("|"));
    let benches = benches();
    eprintln!("  ours");
    // This format has one line for each benchmark, with plain nanoseconds.
    cmd!(
        sh,
        "cargo bench --workspace {features...} {benches...} -- --output-format bencher {filter}"
    )
    .quiet()
    .read()
    .map_err(|_| Failure::new("failed to run our benchmarks; cargo says why above"))
}

fn compare(
    sh: &Shell,
    python: &Python,
    unit: &Unit,
    comparison: &Comparison,
    ours: &str,
) -> Result<Section, Failure> {
    let Comparison { title, script, .. } = *comparison;
    let mut peers = Vec::new();
    for &row in comparison.rows {
        let args = [comparison.args, &[unit.option, row]].concat();
        let line = python.script(sh, script, &args)?;
        peers.push(Row {
            name: row.to_owned(),
            mean: number(&line, unit.field, script)?,
            fastest: number(&line, "fastest", script)?,
            load: table::number(&line, "load_1m"),
        });
    }
    let nanoseconds = table::nanoseconds(ours, comparison.ours);
    let ours = nanoseconds.map(|iteration| comparison.count * 1e9 / iteration);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_unit() {
        let section = |title| Section {
            title,
            ours: None,
            peers: Vec::new(),
        };
        let [steps, images, tokens] = TABLES.map(|(unit, _)| unit);
        let tables = [
            (steps, vec![section("SAC"), section("PPO")]),
            (images, vec![section("ResNet")]),
            (tokens, vec![section("Llama")]),
        ];
        let text = report(Some("0.1"), "product", &tables);
        let order = [
            "load before",
            "product",
            steps.title,
            "SAC",
            "PPO",
            steps.note,
            images.title,
            "ResNet",
            images.note,
            tokens.title,
            "Llama",
            tokens.note,
        ];
        let places: Vec<_> = order.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
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
