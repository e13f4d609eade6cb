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

/// The benchmarks of our own are in these files of `crates/control/benches` and `crates/vision/benches`.
const BENCHES: [&str; 4] = ["--bench", "update", "--bench", "train"];
const PRODUCT: &str = "product/256x256x256";
/// Floating-point operations of that product.
const PRODUCT_FLOP: f64 = 2.0 * 256.0 * 256.0 * 256.0;

/// What is counted each second, and how a script is asked for it.
struct Unit {
    /// Over the sections.
    title: &'static str,
    /// Under them.
    note: &'static str,
    /// The field of the mean in what the script prints; the other one is `fastest`.
    field: &'static str,
    /// The script's option that takes the names of the rows.
    option: &'static str,
}

const STEPS: Unit = Unit {
    title: "environment steps a second, HalfCheetah-v5, one thread",
    note: "fastest: the fastest stretch (100 steps of SAC, one iteration of PPO); ours/it compares those",
    field: "steps_per_second",
    option: "--library",
};

const IMAGES: Unit = Unit {
    title: "images per second, training residual networks, one thread; PyTorch in both memory formats",
    note: "fastest: of theirs the best repetition (2 s or one update), of ours the median update; ours/it compares those",
    field: "images_per_second",
    option: "--format",
};

/// What is compared: one of our benchmarks, and a script beside it with the rows that it is run for.
struct Comparison {
    title: &'static str,
    ours: &'static str,
    /// What one iteration of our benchmark is: steps or images.
    count: f64,
    script: &'static str,
    args: &'static [&'static str],
    rows: &'static [&'static str],
}

const CONTROL: [Comparison; 2] = [
    Comparison {
        title: "SAC, 2x256, batch 256, one update a step",
        ours: "step/gym/half-cheetah/2x256/plain/sac",
        count: 1.0,
        script: "sac_speed.py",
        args: &[],
        rows: &["sb3", "sbx"],
    },
    Comparison {
        title: "PPO, 2x64, 8 x 2,048 steps, batch 64, 10 epochs (cleanrl: 1 x 2,048 steps)",
        ours: "step/gym/half-cheetah/2x64/ppo",
        count: 1.0,
        script: "ppo_speed.py",
        args: &[],
        rows: &["sb3", "sbx", "cleanrl"],
    },
];

const VISION: [Comparison; 5] = [
    Comparison {
        title: "ResNet-20, 32x32 in colour, batch 128",
        ours: "train/resnet-20/32x32/128",
        args: &["--case", "resnet-20/32x32/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-20, 32x32 in colour, batch 64",
        ours: "train/resnet-20/32x32/64",
        count: 64.0,
        args: &["--case", "resnet-20/32x32/64"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-20, 28x28 in grey, batch 128",
        ours: "train/resnet-20/28x28/128",
        args: &["--case", "resnet-20/28x28/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-18, 32x32 in colour, batch 128",
        ours: "train/resnet-18/32x32/128",
        args: &["--case", "resnet-18/32x32/128"],
        ..RESNET
    },
    Comparison {
        title: "ResNet-18, 32x32 in colour, batch 64",
        ours: "train/resnet-18/32x32/64",
        count: 64.0,
        args: &["--case", "resnet-18/32x32/64"],
        ..RESNET
    },
];

/// What the residual networks have in common.
const RESNET: Comparison = Comparison {
    title: "",
    ours: "",
    count: 128.0,
    script: "pytorch_resnet.py",
    args: &[],
    rows: &["contiguous", "channels_last"],
};

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
        "cargo bench --workspace {features...} {BENCHES...} --no-run"
    )
    .quiet()
    .run()
    .map_err(|_| Failure::new("failed to build the benchmarks; cargo says why above"))?;

    eprintln!(
        "measuring, one after the other; about a quarter of an hour in which nothing else should run"
    );
    let before = load();
    let ours = ours(sh, features)?;
    let product = product(sh, &python, &ours)?;
    let mut tables = Vec::new();
    for (unit, comparisons) in [(&STEPS, &CONTROL[..]), (&IMAGES, &VISION[..])] {
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
        .chain(
            CONTROL
                .iter()
                .chain(&VISION)
                .map(|comparison| comparison.ours),
        )
        .collect();
    let filter = format!("^({})$", names.join("|"));
    eprintln!("  ours");
    // This format has one line for each benchmark, with plain nanoseconds.
    cmd!(
        sh,
        "cargo bench --workspace {features...} {BENCHES...} -- --output-format bencher {filter}"
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
        for script in CONTROL.iter().chain(&VISION).map(|c| c.script) {
            assert!(super::super::python::folder().join(script).is_file());
        }
    }

    #[test]
    fn a_case_of_the_networks_is_one_thing_everywhere() {
        let script = super::super::python::folder().join(RESNET.script);
        let script = fs::read_to_string(script).unwrap();
        for comparison in &VISION {
            let [option, case] = *comparison.args else {
                panic!("{:?}", comparison.args);
            };
            assert_eq!(option, "--case");
            assert_eq!(comparison.ours, format!("train/{case}"));
            // The script's line of the case ends with the batch, which is what one iteration of ours counts.
            let start = format!("\"{case}\": (");
            let mut lines = script.lines().map(str::trim);
            let line = lines.find_map(|line| line.strip_prefix(&start)).unwrap();
            let batch = format!(", {})", comparison.count);
            assert!(line.trim_end_matches(',').ends_with(&batch), "{line}");
        }
        for row in RESNET.rows {
            assert!(script.contains(&format!("\"{row}\"")), "no format {row}");
        }
    }

    #[test]
    fn every_table_has_its_unit() {
        let section = |title| Section {
            title,
            ours: None,
            peers: Vec::new(),
        };
        let tables = [
            (&STEPS, vec![section("SAC"), section("PPO")]),
            (&IMAGES, vec![section("ResNet")]),
        ];
        let text = report(Some("0.1"), "product", &tables);
        let order = [
            "load before",
            "product",
            STEPS.title,
            "SAC",
            "PPO",
            STEPS.note,
            IMAGES.title,
            "ResNet",
            IMAGES.note,
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
