//! Language models: what is made of records whose accuracies and entropies are formulas.

use era_harness::cell::CELL_FORMAT;
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_report::Study;

use crate::common::{Bench, text};

/// A method that records what training a language model does, by formula.
#[derive(Debug)]
struct Trainer(&'static str);

const METHODS: [&Trainer; 7] = [
    &Trainer("grpo"),
    &Trainer("grpo-entropy-bonus"),
    &Trainer("grpo-clip-higher"),
    &Trainer("clip-cov"),
    &Trainer("kl-cov"),
    &Trainer("gspo"),
    &Trainer("grpo-era"),
];

/// The methods of the suite `llm`.
pub(crate) fn methods() -> Vec<&'static dyn Method> {
    METHODS.map(|method| method as &dyn Method).into()
}

/// The entropy at which a method comes to rest.
fn floor(method: &str) -> f64 {
    match method {
        "grpo-era" => 0.25,
        "clip-cov" | "kl-cov" => 0.15,
        "grpo" | "gspo" => 0.04,
        _ => 0.1,
    }
}

impl Method for Trainer {
    fn name(&self) -> &'static str {
        self.0
    }
    fn about(&self) -> &'static str {
        "accuracies by formula"
    }
    fn revision(&self) -> u32 {
        1
    }
    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }
    fn resolve(&self, _task: &str, given: &Params) -> Result<Params, ParamError> {
        Ok(given.clone())
    }
    fn cost(&self, _task: &str, _params: &Params) -> Cost {
        Cost {
            seconds: 0.0,
            memory: 0,
        }
    }
    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let updates = cell
            .params
            .get("updates")
            .and_then(serde_json::Value::as_u64);
        let updates = updates.unwrap_or(20);
        for step in 0..=updates {
            let progress = step as f64 / updates as f64;
            let luck = ((cell.seed * 7 + step * 3) % 5) as f64 / 200.0;
            // All methods start from the same policies.
            let floor = floor(self.0);
            let entropy = floor + (0.55 - floor + luck) * (-4.0 * progress).exp();
            if step > 0 {
                self.log_update(run, step, entropy)?;
            }
            if step % 5 == 0 {
                let hard = if cell.task == "countdown" { 0.3 } else { 0.6 };
                let start = 0.05 + luck * hard;
                let solved = start + hard * progress * (0.8 + floor);
                self.log_evaluation(run, step, (solved, entropy, progress))?;
            }
        }
        Ok(())
    }
}

impl Trainer {
    fn log_update(&self, run: &mut Run, step: u64, entropy: f64) -> Result<(), TrainError> {
        let collapsed = if entropy < 0.06 { 1.0 } else { 0.0 };
        run.log(
            step,
            &[
                ("train/entropy", entropy),
                ("train/no_signal", 0.1 + 0.2 * (1.0 - entropy)),
                ("alarm/entropy_collapse", collapsed),
                ("alarm/no_signal", 0.0),
            ],
        )?;
        Ok(())
    }

    fn log_evaluation(
        &self,
        run: &mut Run,
        step: u64,
        (solved, entropy, progress): (f64, f64, f64),
    ) -> Result<(), TrainError> {
        let pass = |k: i32| 1.0 - (1.0 - solved).powf(f64::from(k).powf(0.25 + entropy / 4.0));
        run.log(
            step,
            &[
                ("eval/accuracy", solved),
                ("eval/pass@1", pass(1)),
                ("eval/pass@2", pass(2)),
                ("eval/pass@4", pass(4)),
                ("eval/pass@8", pass(8)),
                ("eval/pass@16", pass(16)),
                ("eval/pass@32", pass(32)),
                ("eval/entropy", entropy),
                ("eval/response_entropy", 3.0 * entropy),
                ("eval/length", 40.0 - 10.0 * progress),
                ("eval/kl_start", 0.4 * progress),
                ("eval/low_share", 1.0 - entropy),
                ("eval/high_share", 0.0),
                ("eval/stopped", 0.9 + 0.1 * progress),
            ],
        )?;
        if self.0 == "grpo-era" {
            run.log(step, &[("eval/entropy_low", 0.45)])?;
        }
        Ok(())
    }
}

/// A study of these methods, with every table and figure of the suite; nothing is run yet.
pub(crate) fn study(tasks: &[&str], methods: &[&str], params: &Params, seeds: u64) -> Bench {
    let mut cells = Vec::new();
    for task in tasks {
        for method in methods {
            cells.extend((0..seeds).map(|seed| Cell {
                format: CELL_FORMAT,
                suite: "llm".into(),
                task: (*task).into(),
                method: (*method).into(),
                revision: 1,
                seed,
                engine: "flex".into(),
                params: params.clone(),
                inputs: std::collections::BTreeMap::new(),
            }));
        }
    }
    let names = |all: &[&str]| -> Vec<String> {
        let of_llm =
            |name: &&&str| name.starts_with("llm-") || **name == "probability-of-improvement";
        all.iter().filter(of_llm).map(ToString::to_string).collect()
    };
    Bench::with(Study {
        experiment: "llm".into(),
        about: "accuracies by formula".into(),
        cells,
        tables: names(era_report::TABLES),
        figures: names(era_report::FIGURES),
    })
}

fn full() -> Bench {
    let names = METHODS.map(|method| method.0);
    let bench = study(&["chain-sum", "countdown"], &names, &Params::new(), 3);
    bench.run_all();
    bench
}

/// Rows of a table that begin with these words.
fn rows<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let rows = table.lines();
    rows.filter(|row| row.starts_with(&format!("{first} &")))
        .collect()
}

/// The numbers' macro of a method on chain-sum, as it stands in `numbers.tex`.
fn number(method: &str, what: &str, value: &str) -> String {
    format!("\\newcommand{{\\LlmChainSum{method}{what}}}{{{value}}}")
}

#[test]
fn everything_is_printed_as_before() {
    let report = full().build();
    for file in report.files.keys() {
        if let Some(name) = file.strip_suffix(".tex") {
            insta::assert_snapshot!(name.replace('/', "-"), text(&report, file));
        }
    }
    insta::assert_snapshot!("llm-summary-100", report.summary(100));
    insta::assert_snapshot!("llm-summary-40", report.summary(40));
    assert!(report.left_out.is_empty());
}

#[test]
fn summaries_fit_their_width() {
    let params: Params = [("updates".to_owned(), 5.into())].into();
    let mut bench = study(&["chain-sum"], &["grpo"], &params, 1);
    // The longest label of all.
    for (low, share) in [(0.45, 0.2), (0.9, 0.2), (0.9, 0.1)] {
        let mut cell = bench.study.cells[0].clone();
        cell.method = "grpo-era".into();
        cell.params.insert("entropy_low".into(), low.into());
        cell.params.insert("uncertain_share".into(), share.into());
        bench.study.cells.push(cell);
    }
    bench.run_all();
    for report in [bench.build(), full().build()] {
        for width in [40, 60, 80, 100] {
            let summary = report.summary(width);
            let widest = summary.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{width}:\n{summary}");
        }
    }
    let label = "  grpo-era (entropy_low=0.45, uncertain_share=0.2)\n";
    let summary = bench.build().summary(100);
    assert!(summary.contains(label), "{summary}");
}

/// Start, end and all of training are told apart; a threshold is one of ERA alone.
#[test]
fn numbers_are_taken_where_they_say() {
    let report = full().build();
    let numbers = text(&report, "llm/numbers.tex");
    // By formula: luck at step 0 is 0, 0.01, 0.02 and at step 20 the same; 0.05 + 0.6 × luck.
    for line in [
        number("Grpo", "StartAccuracy", "5.6"),
        number("Grpo", "Accuracy", "56.0"),
        number("GrpoEra", "Threshold", "0.450"),
        number("Grpo", "CollapseAlarms", "3"),
        number("GrpoEra", "CollapseAlarms", "0"),
        number("Grpo", "NoSignalAlarms", "0"),
        number("Grpo", "Length", "30.0"),
        number("Grpo", "Divergence", "0.400"),
        number("Grpo", "StoppedShare", "100.0"),
    ] {
        assert!(numbers.contains(&line), "{line}: {numbers}");
    }
    assert!(!numbers.contains("LlmChainSumGrpoThreshold") && !numbers.contains("Violations"));
    assert!(!numbers.contains("AllTasksGrpoScore"));
    // ERA against each of the others.
    assert!(numbers.contains("LlmChainSumGrpoEraOverGspoProbability}"));
    assert!(numbers.contains("LlmAllTasksGrpoEraOverGrpoClipHigherProbability}"));
}

#[test]
fn every_number_names_its_cells_or_its_source() {
    let bench = full();
    let report = bench.build();
    let provenance: serde_json::Value =
        serde_json::from_str(text(&report, "llm/provenance.json")).unwrap();
    let known: Vec<String> = bench.study.cells.iter().map(|cell| cell.id().0).collect();
    for number in provenance["numbers"].as_array().unwrap() {
        let cells = number["cells"].as_array().unwrap();
        let all_known = cells
            .iter()
            .all(|cell| known.iter().any(|known| cell == known));
        assert!(!cells.is_empty() && all_known, "{number}");
    }
    // Those of language models alone.
    let published = provenance["published"].as_array().unwrap();
    assert_eq!(published.len(), 15);
    for number in published {
        let place = number["where"].as_str().unwrap();
        assert!(place.contains("figure 1(a)"), "{number}");
    }
}

#[test]
fn published_numbers_stand_in_rows_of_their_own() {
    let table = |bench: &Bench| text(&bench.build(), "llm/llm-accuracy.tex").to_owned();
    let bench = study(&["chain-sum"], &["grpo", "grpo-era"], &Params::new(), 2);
    let before = table(&bench);
    assert!(before.contains("no cell is finished"), "{before}");
    bench.run_all();
    let table = table(&bench);
    assert!(
        table.contains("As published & aime24 & aime25 & amc"),
        "{table}"
    );
    let row = |method| *rows(&table, method).last().unwrap();
    assert_eq!(row("base"), r"base & 8.6 & 6.3 & 52.2 \\");
    assert_eq!(row("grpo"), r"grpo & 34.4 & 12.3 & 69.5 \\");
    assert_eq!(row("kl-cov"), r"kl-cov & 35.6 & 13.1 & 65.1 \\");
    assert_eq!(row("clip-cov"), r"clip-cov & 33.9 & 13.7 & 62.5 \\");
    assert_eq!(row("grpo-era"), r"grpo-era & 37.5 & 16.9 & 72.8 \\");
    let entropy = bench.build();
    let entropy = text(&entropy, "llm/llm-entropy.tex");
    assert!(
        rows(entropy, "grpo")[0].starts_with("grpo & 2 & none &"),
        "{entropy}"
    );
    assert!(
        rows(entropy, "grpo-era")[0].starts_with("grpo-era & 2 & 0.450 &"),
        "{entropy}"
    );
}

#[test]
fn one_run_has_no_interval_and_nothing_finished_is_said() {
    let bench = study(&["chain-sum"], &["grpo", "grpo-era"], &Params::new(), 1);
    let report = bench.build();
    assert!(report.summary(80).contains("no cell is finished"));
    for (figure, said) in [
        ("llm-accuracy", "no finished run has evaluations"),
        ("llm-entropy", "no finished run recorded its entropy in"),
        ("llm-pass-at-k", "no finished run recorded pass@k"),
    ] {
        let svg = text(&report, &format!("llm/{figure}.svg"));
        assert!(svg.contains(said), "{figure}: {svg}");
    }
    bench.run_all();
    let report = bench.build();
    assert!(!report.summary(80).contains('['));
    let table = text(&report, "llm/llm-accuracy.tex");
    assert!(rows(table, "grpo").iter().all(|row| !row.contains('[')));
}

/// How often a text stands in a drawing.
fn count(svg: &str, words: &str) -> usize {
    svg.lines().filter(|line| line.trim() == words).count()
}

#[test]
fn figures_name_methods_tasks_and_axes() {
    let bench = full();
    let report = bench.build();
    for (figure, words, times) in [
        ("llm-accuracy", "accuracy (%)", 1),
        ("llm-accuracy", "updates", 2),
        ("llm-entropy", "entropy (nats)", 1),
        ("llm-entropy", "chain-sum", 1),
        ("llm-pass-at-k", "pass@k (%)", 1),
        ("llm-pass-at-k", "k", 2),
        // The ticks of both panels.
        ("llm-pass-at-k", "16", 2),
        ("llm-pass-at-k", "32", 2),
        ("llm-pass-at-k", "before training", 1),
    ] {
        let svg = text(&report, &format!("llm/{figure}.svg"));
        assert_eq!(count(svg, words), times, "{figure}, {words}: {svg}");
        assert_eq!(count(svg, "grpo-era, n = 3"), 1, "{figure}: {svg}");
    }
    assert!(bench.build().files == report.files);
}

#[test]
fn long_training_is_drawn_as_means_over_updates() {
    let params: Params = [("updates".to_owned(), 300.into())].into();
    let bench = study(&["chain-sum"], &["grpo"], &params, 2);
    bench.run_all();
    let report = bench.build();
    let svg = text(&report, "llm/llm-entropy.svg");
    assert_eq!(count(svg, "chain-sum, means of 2 updates"), 1, "{svg}");
}

#[test]
fn odd_names_and_the_smoke_scale() {
    let params: Params = [("updates".to_owned(), 5.into())].into();
    let mut bench = study(&["a_b%"], &["grpo", "grpo-era"], &params, 2);
    bench.scale = "smoke";
    bench.run_all();
    let report = bench.build();
    for (file, content) in &report.files {
        if !file.ends_with(".tex") && !file.ends_with(".svg") {
            continue;
        }
        let content = std::str::from_utf8(content).unwrap();
        assert!(content.contains("smoke scale: shows"), "{file}");
        if file.ends_with(".tex") && !file.ends_with("numbers.tex") {
            assert!(content.contains(r"a\_b\%"), "{file}: {content}");
        }
    }
}

#[test]
fn a_suite_has_its_own_tables_and_figures() {
    let mut bench = study(&["chain-sum"], &["grpo"], &Params::new(), 1);
    bench.study.tables = vec!["vision-accuracy".into()];
    let error = bench.try_build().unwrap_err().to_string();
    assert!(
        error.ends_with("there are llm-accuracy, llm-entropy"),
        "{error}"
    );
    bench.study.tables.clear();
    bench.study.figures = vec!["control-curves".into()];
    let error = bench.try_build().unwrap_err().to_string();
    assert!(
        error.ends_with(
            "there are probability-of-improvement, llm-accuracy, llm-entropy, llm-pass-at-k"
        ),
        "{error}"
    );
}
