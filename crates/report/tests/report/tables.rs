//! What tables, macros and summary print for known records.

use crate::common::{Bench, ODD, cell, of_control, text};
use crate::{claims, llm, vision};
use era_harness::Params;

/// Two tasks, three methods, three seeds.
fn full() -> Bench {
    let bench = Bench::new(
        &["mini/reacher", "gym/half-cheetah"],
        &["sac", "sac-era", "sac-no-entropy"],
        3,
    );
    bench.run_all();
    bench
}

#[test]
fn everything_is_printed_as_before() {
    let report = full().build();
    for table in of_control(era_report::TABLES) {
        insta::assert_snapshot!(
            table.as_str(),
            text(&report, &format!("control/{table}.tex"))
        );
    }
    insta::assert_snapshot!("numbers", text(&report, "control/numbers.tex"));
    insta::assert_snapshot!("summary-80", report.summary(80));
    insta::assert_snapshot!("summary-40", report.summary(40));
    assert!(report.left_out.is_empty());
}

#[test]
fn summaries_fit_their_width() {
    let report = full().build();
    for width in [40, 60, 80, 120] {
        let summary = report.summary(width);
        let widest = summary
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap();
        assert!(
            widest <= width,
            "{widest} columns where {width} were asked for:\n{summary}"
        );
    }
}

#[test]
fn the_numbers_are_those_of_the_formula() {
    // On gym/half-cheetah the last evaluation of sac (quality 1.3) is 400 (6.5 + luck) + 3/16, luck by seed 0.0, 0.1, 0.2.
    let report = full().build();
    let numbers = text(&report, "control/numbers.tex");
    // IQM of three runs leaves out none: (6.5 + 0.1) 400 = 2640.
    assert!(
        numbers.contains(r"\newcommand{\ControlGymHalfCheetahSacReturn}{2,640}"),
        "{numbers}"
    );
    assert!(
        numbers.contains(r"\newcommand{\ControlGymHalfCheetahSacReturnLow}{2,600}"),
        "{numbers}"
    );
    assert!(
        numbers.contains(r"\newcommand{\ControlGymHalfCheetahSacReturnHigh}{2,680}"),
        "{numbers}"
    );
    // Every run of sac-era beats every run of sac.
    assert!(
        numbers.contains(r"\newcommand{\ControlGymHalfCheetahSacEraOverSacProbability}{1.00}"),
        "{numbers}"
    );
}

#[test]
fn every_number_names_its_cells() {
    let bench = full();
    let report = bench.build();
    let provenance: serde_json::Value =
        serde_json::from_str(text(&report, "control/provenance.json")).unwrap();
    let known: Vec<String> = bench.study.cells.iter().map(|cell| cell.id().0).collect();
    let numbers = provenance["numbers"].as_array().unwrap();
    assert!(!numbers.is_empty());
    for number in numbers {
        let cells = number["cells"].as_array().unwrap();
        assert!(!cells.is_empty(), "{number}");
        assert!(
            cells
                .iter()
                .all(|cell| known.iter().any(|known| cell == known)),
            "{number}"
        );
        let method = number["about"].as_str().unwrap().contains("sac-era");
        assert!(
            !method
                || cells
                    .iter()
                    .any(|cell| cell.as_str().unwrap().contains("sac-era")),
            "{number}"
        );
    }
    assert_eq!(provenance["runs"].as_array().unwrap().len(), known.len());
    assert_eq!(provenance["runs"][0]["commit"], "0123abc");
}

#[test]
fn one_run_has_no_interval() {
    let bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 1);
    bench.run_all();
    let report = bench.build();
    let numbers = text(&report, "control/numbers.tex");
    assert!(
        !numbers.contains("Low}") && !numbers.contains("High}"),
        "{numbers}"
    );
    for table in ["control-returns", "control-pairwise"] {
        let table = text(&report, &format!("control/{table}.tex"));
        let rows: Vec<&str> = table.lines().filter(|line| line.contains('&')).collect();
        assert!(
            !rows.is_empty() && rows.iter().all(|row| !row.contains('[')),
            "{table}"
        );
    }
    assert!(!report.summary(80).contains('['), "{}", report.summary(80));
}

#[test]
fn a_method_without_a_finished_cell_shows_as_a_gap() {
    let bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2);
    for cell in bench.study.cells.iter().filter(|cell| cell.method == "sac") {
        bench.run(cell);
    }
    let report = bench.build();
    let table = text(&report, "control/control-returns.tex");
    assert!(table.contains("sac-era & 0 & -- & -- \\\\"), "{table}");
    assert!(table.contains("2 of 4 cells are left out"), "{table}");
    assert!(!text(&report, "control/numbers.tex").contains("SacEra"));
    let summary = report.summary(80);
    assert!(
        summary.contains("0/2") && summary.contains(": not run"),
        "{summary}"
    );
}

#[test]
fn nothing_finished_is_said() {
    let bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2).with_figures();
    let report = bench.build();
    assert!(
        report.summary(80).contains("no cell is finished"),
        "{}",
        report.summary(80)
    );
    assert_eq!(report.left_out.len(), 4);
    assert!(
        text(&report, "control/control-curves.svg").contains("no finished run has evaluations")
    );
}

#[test]
fn odd_names_cannot_break_out_of_latex() {
    let bench = Bench::new(&["mini/a_b%", "mini/c"], &["sac", ODD], 2);
    bench.run_all();
    let report = bench.build();
    let escaped = r"odd\_50\%\&\{1\}\#\textbackslash{}x";
    for table in of_control(era_report::TABLES) {
        let table = text(&report, &format!("control/{table}.tex"));
        assert!(
            table.contains(escaped) && table.contains(r"mini/a\_b\%"),
            "{table}"
        );
        assert!(!table.contains(ODD), "{table}");
    }
}

#[test]
fn further_axes_become_part_of_the_method() {
    let mut bench = Bench::new(&[], &[], 0);
    for target in [0.25, 0.5] {
        let params = Params::from([
            ("target".into(), target.into()),
            ("steps".into(), 10.into()),
        ]);
        bench
            .study
            .cells
            .extend((0..2).map(|seed| cell("mini/reacher", "sac-era", seed, params.clone())));
    }
    bench.run_all();
    let summary = bench.build().summary(80);
    assert!(
        summary.contains("sac-era (target=0.25)") && summary.contains("sac-era (target=0.5)"),
        "{summary}"
    );
}

/// A learned temperature that starts at 1 and two fixed ones; a choice and a number for `sac-era`.
#[test]
fn labels_say_what_tells_methods_apart_and_no_more() {
    let mut bench = Bench::new(&[], &[], 0);
    let configurations = [
        (
            "sac",
            serde_json::json!({"alpha_init": 1.0, "temperature": "learned"}),
        ),
        (
            "sac",
            serde_json::json!({"alpha_init": 0.01, "temperature": "fixed"}),
        ),
        (
            "sac-era",
            serde_json::json!({"target_entropy_per_dim": -0.5, "compensation": "none"}),
        ),
        (
            "sac-era",
            serde_json::json!({"target_entropy_per_dim": 0.5, "compensation": "none"}),
        ),
        (
            "sac-era",
            serde_json::json!({"target_entropy_per_dim": 0.0, "compensation": "learned"}),
        ),
    ];
    for (method, params) in configurations {
        let params: Params = serde_json::from_value(params).unwrap();
        bench
            .study
            .cells
            .push(cell("mini/reacher", method, 0, params));
    }
    bench.run_all();
    let report = bench.build();
    let table = text(&report, "control/control-entropy.tex");
    for label in [
        "sac (learned) &",
        "sac (fixed) &",
        r"sac-era (none, target\_entropy=-0.5) &",
        r"sac-era (none, target\_entropy=0.5) &",
        r"sac-era (learned, target\_entropy=0) &",
    ] {
        assert!(table.contains(label), "{label}: {table}");
    }
    // The labels are long: the table is set smaller.
    assert!(table.contains(r"\footnotesize"), "{table}");
    let numbers = text(&report, "control/numbers.tex");
    assert!(
        numbers.contains("SacEraNoneTargetEntropyMinusZeroPointFiveEntropy}"),
        "{numbers}"
    );
}

#[test]
fn the_smoke_scale_is_said_everywhere() {
    let mut bench = Bench::new(&["mini/reacher"], &["sac", "sac-era"], 2).with_figures();
    bench.scale = "smoke";
    bench.run_all();
    let report = bench.build();
    let said = "smoke scale: shows that the path works, not a result";
    assert!(report.summary(80).contains(said));
    for (file, content) in &report.files {
        if file.ends_with(".tex") || file.ends_with(".svg") {
            assert!(
                std::str::from_utf8(content).unwrap().contains(said),
                "{file}"
            );
        }
    }
}

#[test]
fn an_unknown_table_is_named() {
    let mut bench = Bench::new(&["mini/reacher"], &["sac"], 1);
    bench.study.tables = vec!["control-return".into()];
    let error = bench.try_build().unwrap_err().to_string();
    assert!(
        error.contains("control-return") && error.contains("control-returns"),
        "{error}"
    );
}

/// The arguments of `\command{...}` in a text.
fn arguments<'a>(text: &'a str, command: &str) -> Vec<&'a str> {
    let open = format!("\\{command}{{");
    let parts = text.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| part.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}

/// The studies that the paper draws on, in their smallest form.
fn studies_of_the_paper() -> Vec<Bench> {
    let tasks = ["gym/half-cheetah", "gym/hopper", "gym/walker2d"];
    let sac = Bench::new(&tasks[..1], &["sac", "sac-era"], 2);
    let mut ppo = Bench::new(&tasks, &["ppo"], 2);
    ppo.study.experiment = "control-ppo".to_owned();
    for (task, coefficient) in tasks.iter().flat_map(|task| [(task, 0.0), (task, 0.01)]) {
        let params: Params = [("entropy_coef".to_owned(), coefficient.into())].into();
        let cells = (0..2).map(|seed| cell(task, "ppo-era", seed, params.clone()));
        ppo.study.cells.extend(cells);
    }
    let mut what_matters = Bench::new(&tasks, &["ppo", "ppo-era"], 2);
    what_matters.study.experiment = "ppo-what-matters".to_owned();
    let configurations = [
        ("cross-entropy", None),
        ("era", Some(("target_entropy", 0.6))),
    ];
    let mut benches: Vec<Bench> = [sac, ppo, what_matters].map(Bench::with_figures).into();
    for (experiment, task) in [
        ("vision", "fashion-mnist"),
        ("vision-cifar10", "cifar10"),
        ("vision-cifar10-jpeg", "cifar10-jpeg"),
    ] {
        let mut vision = vision::study(&[task], &configurations, 2);
        vision.study.experiment = experiment.to_owned();
        benches.push(vision);
    }
    let methods = ["grpo", "grpo-era"];
    benches.push(llm::study(&["chain-sum"], &methods, &Params::new(), 2));
    benches
}

#[test]
fn what_the_paper_asks_for_is_made() {
    let mut files = claims::files();
    for bench in studies_of_the_paper() {
        bench.run_all();
        files.extend(bench.build().files);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../paper");
    let paper = std::fs::read_to_string(folder.join("main.tex")).unwrap();
    // What comes after the definitions of the commands themselves.
    let (head, body) = paper.split_once("\\begin{document}").unwrap();
    let inputs = arguments(head, "inputnumbers");
    let numbers: String = inputs
        .iter()
        .filter_map(|experiment| files.get(&format!("{experiment}/numbers.tex")))
        .map(|text| String::from_utf8_lossy(text))
        .collect();
    let results = arguments(body, "result");
    assert!(!results.is_empty());
    let lows = arguments(body, "interval")
        .into_iter()
        .map(|name| format!("{name}Low"));
    for name in results.into_iter().map(str::to_owned).chain(lows) {
        assert!(
            numbers.contains(&format!("\\newcommand{{\\{name}}}")),
            "{name}"
        );
    }
    let (tables, plots) = (
        arguments(body, "inserttable"),
        arguments(body, "insertplot"),
    );
    assert!(!tables.is_empty() && !plots.is_empty());
    let asked = tables
        .iter()
        .map(|name| format!("{name}.tex"))
        .chain(plots.iter().map(|name| format!("{name}.pdf")));
    for file in asked {
        assert!(files.contains_key(&file), "{file}");
    }
}
