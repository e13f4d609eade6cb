//! `cargo xtask bench --engines flex,libtorch`: what each engine does a second, and what ERA costs on it.
//!
//! One build has all the engines, and one thread; they run one after the other, in one sitting. What comes out are two tables in Markdown, as
//! `docs/PERFORMANCE.md` has them.

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use xshell::{Shell, cmd};

use super::comparisons::benches;
use super::table::{Measured, measured};
use crate::era::{self, Engine};
use crate::failure::Failure;
use crate::setup;

/// What benchmarks take their engine from: `era_nn::BENCH_ENGINE`.
const VARIABLE: &str = "ERA_BENCH_ENGINE";
/// One thread, as in the runs of an experiment.
const THREADS: [&str; 3] = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"];

/// What can be measured, as `--device` calls it, and the name over its column.
pub(super) const ENGINES: [(&str, &str); 5] = [
    ("flex", "Flex"),
    ("libtorch", "LibTorch"),
    ("libtorch-cuda", "LibTorch, CUDA"),
    ("wgpu", "Vulkan"),
    ("cuda", "CUDA"),
];

/// The values of `--engines`.
pub(super) const NAMES: [&str; ENGINES.len()] = {
    let mut names = [""; ENGINES.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = ENGINES[i].0;
        i += 1;
    }
    names
};

/// A row of the table of speeds.
#[derive(Debug)]
struct Speed {
    title: &'static str,
    bench: &'static str,
    /// How much of what the title counts an iteration is.
    count: f64,
}

const SPEEDS: [Speed; 5] = [
    Speed {
        title: "a product of 256×256 matrices, GFLOP/s",
        bench: "product/256x256x256",
        count: 2.0 * 256.0 * 256.0 * 256.0 / 1e9,
    },
    Speed {
        title: "`sac-era`, 2×256, batch 256: updates/s",
        bench: "update/2x256/plain/sac-era",
        count: 1.0,
    },
    Speed {
        title: "`era`, ResNet-20, 32×32 in colour, batch 128: images/s",
        bench: "train/resnet-20/32x32/128/era",
        count: 128.0,
    },
    Speed {
        title: "`grpo-era`, small policy, 32 × 8 answers of 16 + 32: tokens/s of an update",
        bench: "llm/train/small/era",
        count: 12_288.0,
    },
    Speed {
        title: "the same answers sampled (on the processor): new tokens/s",
        bench: "llm/sample/small/policy",
        count: 8_192.0,
    },
];

/// What ERA costs in a suite.
#[derive(Debug)]
struct Cost {
    title: &'static str,
    /// The activation alone, and the same graph without it where it is in one.
    alone: &'static str,
    empty: Option<&'static str>,
    /// An update with ERA, and one of the method that does all but it.
    update: &'static str,
    other: &'static str,
    other_title: &'static str,
}

const COSTS: [Cost; 3] = [
    Cost {
        title: "`sac-era`",
        alone: "era/gaussian/256x6/with",
        empty: Some("era/gaussian/256x6/without"),
        update: "update/2x256/plain/sac-era",
        other: "update/2x256/plain/sac-fixed-sigma",
        other_title: "`sac-fixed-sigma`",
    },
    Cost {
        title: "`era`, ResNet-20",
        alone: "era/softmax/128x10/with",
        empty: Some("era/softmax/128x10/without"),
        update: "train/resnet-20/32x32/128/era",
        other: "train/resnet-20/32x32/128",
        other_title: "`cross-entropy`",
    },
    Cost {
        title: "`grpo-era`, small",
        alone: "era/response/small",
        empty: None,
        update: "llm/train/small/era",
        other: "llm/train/small",
        other_title: "`grpo`",
    },
];

pub(super) fn run(sh: &Shell, names: &[String]) -> Result<ExitCode, Failure> {
    let features = &build(sh, names)?;
    eprintln!("measuring, one engine after the other; nothing else should run meanwhile");
    let before = super::load();
    let mut failed = false;
    let mut columns = Vec::new();
    for name in names {
        eprintln!("  {name}");
        let output = measure(sh, features, name).unwrap_or_else(|failure| {
            eprintln!("error: {failure}");
            failed = true;
            String::new()
        });
        columns.push((title(name), output));
    }
    let machine = machine(sh, before.as_deref());
    let report = format!("{machine}\n\n{}\n{}", speeds(&columns), costs(&columns));
    // What the command is for: everything else goes to standard error.
    std::io::stdout().write_all(report.as_bytes())?;
    Ok(match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Builds the benchmarks with these engines, so that nothing compiles while something is measured; returns cargo's arguments for it.
fn build(sh: &Shell, names: &[String]) -> Result<Vec<String>, Failure> {
    let engines = Engine::of_devices(names);
    for engine in &engines {
        engine.set_up(sh)?;
    }
    let features = era::features(sh, &engines);
    if let (true, Some(folder)) = (engines.contains(&Engine::Libtorch), setup::libtorch()) {
        // Only `era` and the tests of `era-nn` know where it is.
        let mut folders = vec![folder.join("lib")];
        let others = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        folders.extend(env::split_paths(&others));
        let joined = env::join_paths(folders);
        sh.set_var(
            "LD_LIBRARY_PATH",
            joined.map_err(|error| Failure::new(format!("failed to name libtorch: {error}")))?,
        );
    }
    let (chosen, benches) = (&features, benches());
    cmd!(
        sh,
        "cargo bench --workspace {chosen...} {benches...} --no-run"
    )
    .quiet()
    .run()
    .map_err(|_| Failure::new("failed to build the benchmarks; cargo says why above"))?;
    Ok(features)
}

/// What criterion prints for all that is in the tables.
fn measure(sh: &Shell, features: &[String], name: &str) -> Result<String, Failure> {
    let benches = benches();
    let filter = format!("^({})$", wanted().join("|"));
    let command = cmd!(
        sh,
        "cargo bench --workspace {features...} {benches...} -- --output-format bencher {filter}"
    );
    let command = THREADS
        .iter()
        .fold(command, |command, variable| command.env(variable, "1"));
    command.env(VARIABLE, name).quiet().read().map_err(|_| {
        Failure::new(format!(
            "failed to measure `{name}`; the benchmarks say why above"
        ))
    })
}

/// The names of the benchmarks, each once.
fn wanted() -> Vec<&'static str> {
    let speeds = SPEEDS.iter().map(|speed| speed.bench);
    let costs = COSTS.iter().flat_map(|cost| {
        let names = [cost.alone, cost.update, cost.other];
        names.into_iter().chain(cost.empty)
    });
    let mut names: Vec<_> = speeds.chain(costs).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn title(name: &str) -> &str {
    let found = ENGINES.iter().find(|(engine, _)| *engine == name);
    found.map_or(name, |(_, title)| title)
}

/// Processor and load, so that a table says what it is of.
fn machine(sh: &Shell, load: Option<&str>) -> String {
    let file = sh.read_file("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = file.lines();
        lines.find_map(|line| {
            let (field, value) = line.split_once(':')?;
            (field.trim() == name).then(|| value.trim())
        })
    };
    let [model, family, number] =
        ["model name", "cpu family", "model"].map(|name| field(name).unwrap_or("unknown"));
    let load = load.unwrap_or("unknown");
    format!(
        "{model} (family {family}, model {number}), one thread; load before the first measurement: {load}"
    )
}

/// A table's first two lines: a column for each engine.
fn head(columns: &[(&str, String)]) -> String {
    let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    format!(
        "| | {} |\n|---|{}\n",
        titles.join(" | "),
        "---|".repeat(titles.len())
    )
}

fn row(text: &mut String, title: &str, cells: impl Iterator<Item = Option<String>>) {
    let _ = write!(text, "| {title} |");
    for cell in cells {
        let _ = write!(text, " {} |", cell.as_deref().unwrap_or("–"));
    }
    text.push('\n');
}

fn speeds(columns: &[(&str, String)]) -> String {
    let mut text = head(columns);
    for Speed {
        title,
        bench,
        count,
    } in &SPEEDS
    {
        let cell = |output: &str| Some(number(count * 1e9 / measured(output, bench)?.median));
        row(
            &mut text,
            title,
            columns.iter().map(|(_, output)| cell(output)),
        );
    }
    text
}

fn costs(columns: &[(&str, String)]) -> String {
    let mut text = head(columns);
    for cost in &COSTS {
        let title = format!("{}: the activation alone, of an update", cost.title);
        let cells = columns.iter().map(|(_, output)| share(output, cost));
        row(&mut text, &title, cells);
        let title = format!("{} over {}", cost.title, cost.other_title);
        let cells = columns.iter().map(|(_, output)| difference(output, cost));
        row(&mut text, &title, cells);
    }
    text
}

/// The activation's forward and backward pass, in microseconds and in percent of an update.
fn share(output: &str, cost: &Cost) -> Option<String> {
    let with = measured(output, cost.alone)?.median;
    let without = match cost.empty {
        Some(empty) => measured(output, empty)?.median,
        None => 0.0,
    };
    let update = measured(output, cost.update)?.median;
    let alone = with - without;
    let percent = 100.0 * alone / update;
    Some(format!("{} us, {percent:.2} %", number(alone / 1e3)))
}

/// Three digits or more, and commas between thousands.
fn number(value: f64) -> String {
    let places = if value.abs() < 99.95 { 1 } else { 0 };
    let text = format!("{value:.places$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut grouped = String::new();
    for (i, digit) in text.char_indices() {
        if i > 0 && i < whole && (whole - i) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How much longer an update with ERA takes, with what a single measurement spreads by: twice of it is no difference.
fn difference(output: &str, cost: &Cost) -> Option<String> {
    let [with, without]: [Measured; 2] = [
        measured(output, cost.update)?,
        measured(output, cost.other)?,
    ];
    let of = |measured: Measured| measured.deviation / measured.median;
    let change = 100.0 * (with.median / without.median - 1.0);
    let spread = 100.0 * of(with).hypot(of(without));
    Some(format!("{change:+.1} % (± {spread:.1})"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::paths;

    const OUTPUT: &str = "\
test product/256x256x256 ... bench:     200,000 ns/iter (+/- 1,204)
test update/2x256/plain/sac-fixed-sigma ... bench:   4,000,000 ns/iter (+/- 30,000)
test update/2x256/plain/sac-era ... bench:   4,040,000 ns/iter (+/- 40,400)
test era/gaussian/256x6/with ... bench:      30,000 ns/iter (+/- 100)
test era/gaussian/256x6/without ... bench:      10,000 ns/iter (+/- 100)
test llm/train/small ... bench: 400,000,000 ns/iter (+/- 100)
test llm/train/small/era ... bench: 400,000,000 ns/iter (+/- 100)
test era/response/small ... bench: 4,000,000 ns/iter (+/- 100)
";

    #[test]
    fn speeds_have_a_column_for_each_engine() {
        let columns = [("Flex", OUTPUT.to_owned()), ("Vulkan", String::new())];
        let text = speeds(&columns);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "| | Flex | Vulkan |",
                "|---|---|---|",
                "| a product of 256×256 matrices, GFLOP/s | 168 | – |",
                "| `sac-era`, 2×256, batch 256: updates/s | 248 | – |",
            ]
        );
        assert_eq!(lines.len(), 2 + SPEEDS.len());
    }

    #[test]
    fn costs_are_shares_of_an_update() {
        let text = costs(&[("Flex", OUTPUT.to_owned())]);
        for line in [
            "| `sac-era`: the activation alone, of an update | 20.0 us, 0.50 % |",
            "| `sac-era` over `sac-fixed-sigma` | +1.0 % (± 1.2) |",
            "| `era`, ResNet-20 over `cross-entropy` | – |",
            "| `grpo-era`, small: the activation alone, of an update | 4,000 us, 1.00 % |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        let cases = [
            (0.04, "0.0"),
            (45.24, "45.2"),
            (99.96, "100"),
            (999.6, "1,000"),
            (28_458.2, "28,458"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (-123.0, "-123"),
            (-2.04, "-2.0"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn the_variable_is_the_one_that_benchmarks_read() {
        let file = fs::read_to_string(paths::root().join("crates/nn/src/device.rs")).unwrap();
        assert!(file.contains(&format!("\"{VARIABLE}\"")));
        for name in NAMES {
            assert!(file.contains(&format!("\"{name}\"")), "{name}");
            assert_eq!(
                name == "flex",
                Engine::of_devices(&[name.to_owned()]).is_empty()
            );
        }
    }
}
