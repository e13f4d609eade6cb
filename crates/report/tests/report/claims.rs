//! The ledger: verdicts on planted records, what is wrong with a file of claims, and that nothing changes unseen.

use std::path::PathBuf;

use era_harness::Params;
use era_report::claims::{Claims, ClaimsError, Ledger, LedgerError, LedgerInputs, Row, Verdict};

use crate::common::{Bench, cell};

/// Published numbers to be quoted.
const PUBLISHED: &str = "\
format: 1
sources: {F: figures, N: notes by others}
entries:
  - {id: more, what: score, method: sac-era, metric: score, source: F, where: figure 1, values: [0.90], decimals: 2}
  - {id: less, what: score, method: sac, metric: score, source: F, where: figure 1, values: [0.60], decimals: 2}
  - {id: curve, what: entropy, method: sac, metric: entropy, source: N, where: figure 2, values: [2, 1, 0.5], at: [0, 1, 2], unit: nats}
";

/// Claims with every verdict. The returns are those of `common::Scripted`: on gym/half-cheetah a run ends at 400 (5 quality + luck) + 3/16
/// with a quality of 1.3 (sac), 1.7 (sac-era) and a luck of 0, 0.1, 0.2 by seed.
const CLAIMS: &str = "\
format: 1
claims:
  - id: control/higher
    statement: ERA is higher
    domain: control
    sources: [F]
    where: figure 1
    published: [more, less]
    size: difference
    test:
      experiments: [control]
      scales: {cpu: }
      of: [sac-era]
      against: [sac]
      compare: difference
      metrics: [eval/return]
      above: 0
  - id: control/higher-in-miniature
    statement: ERA is higher, elsewhere
    domain: control
    sources: [F, N]
    where: figure 1
    published: [more, less]
    size: ratio
    test:
      experiments: [control]
      scales: {cpu: two tasks instead of six}
      of: [sac-era]
      against: [sac]
      compare: ratio
      metrics: [eval/return]
      normalised: true
      above: 1
  - id: control/lower
    statement: ERA is lower, by the notes
    domain: control
    sources: [N]
    where: a note
    test:
      experiments: [control]
      scales: {cpu: two tasks instead of six}
      tasks: [gym/half-cheetah]
      of: [sac-era]
      against: [sac]
      compare: improvement
      metrics: [eval/return]
      below: 0.5
      caveat: nobody else says so
  - id: control/about
    statement: SAC is above 2,640
    domain: control
    sources: [F]
    where: figure 3
    test:
      experiments: [control]
      scales: {cpu: two tasks instead of six}
      tasks: [gym/half-cheetah]
      of: [sac]
      compare: value
      metrics: [eval/return]
      decimals: 0
      above: 2640
  - id: control/elsewhere
    statement: PPO is higher
    domain: control
    sources: [F]
    where: figure 4
    test:
      experiments: [control]
      scales: {cpu: two tasks instead of six}
      of: [ppo]
      against: [sac, sac-era]
      compare: difference
      metrics: [eval/return]
      above: 0
  - id: control/entropy
    statement: no state has an entropy below the bound
    domain: control
    sources: [N]
    where: figure 2
    published: [curve]
    test:
      experiments: [control]
      scales: {cpu: two tasks instead of six}
      of: [sac-era]
      compare: every
      metrics: [policy/entropy_min]
      less: policy/bound
      unit: nats
      above: 1
  - id: vision/out-of-reach
    statement: a network of a thousand layers is better
    domain: vision
    sources: [F]
    where: figure 5
    published: [more]
    untestable: {why: there is none here, needs: a thousand layers}
";

/// A bench with the claims beside its records.
struct Court {
    bench: Bench,
}

impl Court {
    /// Two tasks and three methods, of which `ppo` has no runs.
    fn new() -> Self {
        let court = Self {
            bench: Bench::new(
                &["mini/reacher", "gym/half-cheetah"],
                &["sac", "sac-era", "ppo"],
                3,
            ),
        };
        court.write("claims.yaml", CLAIMS);
        court.write("published.yaml", PUBLISHED);
        for cell in court
            .bench
            .study
            .cells
            .iter()
            .filter(|cell| cell.method != "ppo")
        {
            court.bench.run(cell);
        }
        court
    }

    fn file(&self, name: &str) -> PathBuf {
        self.bench.paper.join("../baselines").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    fn judge(&self) -> Result<Ledger, LedgerError> {
        let claims = Claims::read(&self.file("claims.yaml"), &self.file("published.yaml"))?;
        Ledger::new(
            &claims,
            &LedgerInputs {
                scale: self.bench.scale,
                store: &self.bench.store,
                studies: std::slice::from_ref(&self.bench.study),
            },
        )
    }

    /// The error that a changed file of claims makes.
    fn error(&self, from: &str, to: &str) -> ClaimsError {
        assert!(CLAIMS.contains(from), "{from}");
        self.write("claims.yaml", &CLAIMS.replacen(from, to, 1));
        match self.judge() {
            Err(LedgerError::Claims(error)) => error,
            other => panic!("{to}: {other:?}"),
        }
    }

    /// The verdict on one claim with this changed.
    fn changed(&self, from: &str, to: &str, id: &str) -> Row {
        assert!(CLAIMS.contains(from), "{from}");
        self.write("claims.yaml", &CLAIMS.replacen(from, to, 1));
        row(&self.judge().unwrap(), id).clone()
    }
}

/// The files of a ledger.
pub(crate) fn files() -> era_report::Files {
    let court = Court::new();
    let templates = court.bench.paper.join("templates");
    court.judge().unwrap().files(&templates).unwrap()
}

fn row<'l>(ledger: &'l Ledger, id: &str) -> &'l Row {
    ledger.rows.iter().find(|row| row.id == id).unwrap()
}

#[test]
fn verdicts_are_where_intervals_lie() {
    let court = Court::new();
    let ledger = court.judge().unwrap();
    let verdicts: Vec<(&str, Verdict)> = ledger
        .rows
        .iter()
        .map(|row| (row.id.as_str(), row.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("control/higher", Verdict::Reproduced),
            (
                "control/higher-in-miniature",
                Verdict::ReproducedInMiniature
            ),
            ("control/lower", Verdict::NotReproduced),
            ("control/about", Verdict::Undecided),
            ("control/elsewhere", Verdict::NoRecordsYet),
            ("control/entropy", Verdict::NotReproduced),
            ("vision/out-of-reach", Verdict::NotTestableHere),
        ]
    );
    assert_eq!(
        ledger.counted(),
        "1 reproduced, 1 reproduced in miniature, 2 not reproduced, 1 undecided, 1 not testable here, 1 no records yet"
    );
    // Every run of sac-era beats every one of sac.
    let lower = row(&ledger, "control/lower");
    assert_eq!(lower.estimate.as_deref(), Some("1.00"));
    assert_eq!(lower.interval, Some(["1.00".into(), "1.00".into()]));
    assert!(lower.weak && !row(&ledger, "control/higher-in-miniature").weak);
    // 2600, 2640 and 2680 and 3/16 each: the mean is 3/16 above the margin, the interval reaches as far as the runs do.
    let about = row(&ledger, "control/about");
    assert_eq!(about.estimate.as_deref(), Some("2,640"));
    assert_eq!(about.interval, Some(["2,600".into(), "2,680".into()]));
    assert_eq!(about.comparisons[0].smallest.as_deref(), Some("2,680"));
    assert_eq!(about.comparisons[0].runs, 3);
    // The lowest entropy is 1.5 + 0 - 0.2 × 5 - 0.75 = -0.25 with the luck of the last evaluation, the bound -1.
    let entropy = row(&ledger, "control/entropy");
    assert_eq!(entropy.estimate.as_deref(), Some("0.75 nats"));
    assert_eq!(entropy.comparisons[0].interval_kind, "range");
}

#[test]
fn every_verdict_has_its_interval_and_its_cells() {
    let ledger = Court::new().judge().unwrap();
    for row in &ledger.rows {
        let judged = !matches!(
            row.verdict,
            Verdict::NoRecordsYet | Verdict::NotTestableHere
        );
        assert_eq!(row.interval.is_some(), judged, "{}", row.id);
        assert_eq!(row.estimate.is_some(), judged, "{}", row.id);
        assert_eq!(!row.cells.is_empty(), judged, "{}", row.id);
        let known = |cell: &era_harness::CellId| ledger.runs.iter().any(|run| run.cell == *cell);
        assert!(row.cells.iter().all(known), "{}", row.id);
    }
    let elsewhere = row(&ledger, "control/elsewhere");
    let command = "cargo xtask reproduce --suite control --scale cpu";
    assert_eq!(elsewhere.command.as_deref(), Some(command));
    let json: serde_json::Value = serde_json::from_str(&ledger.json()).unwrap();
    assert_eq!(json["rows"][0]["verdict"], "reproduced");
    assert_eq!(json["rows"][0]["cells"].as_array().unwrap().len(), 12);
    assert_eq!(json["runs"].as_array().unwrap().len(), 12);
}

#[test]
fn the_ledger_is_printed_as_before_and_fits_its_width() {
    let ledger = Court::new().judge().unwrap();
    insta::assert_snapshot!("ledger-80", ledger.text(80));
    for width in [40, 60, 80, 120] {
        let text = ledger.text(width);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(
            widest <= width,
            "{widest} columns where {width} were asked for:\n{text}"
        );
    }
    let files = files();
    insta::assert_snapshot!(
        "ledger-table",
        std::str::from_utf8(&files["claims/claims.tex"]).unwrap()
    );
}

/// At the paper's scale an effect has to be of the published size; smaller ones count elsewhere.
#[test]
fn an_effect_that_is_too_small_is_not_the_papers() {
    let court = Court::new();
    court.write("published.yaml", &PUBLISHED.replacen("[0.90]", "[9000]", 1));
    let ledger = court.judge().unwrap();
    let higher = row(&ledger, "control/higher");
    assert_eq!(higher.verdict, Verdict::NotReproduced, "{higher:?}");
    assert!(higher.note.contains("smaller than published"), "{higher:?}");
    let elsewhere = row(&ledger, "control/higher-in-miniature");
    assert_eq!(elsewhere.verdict, Verdict::ReproducedInMiniature);
}

#[test]
fn all_comparisons_have_to_hold_and_one_can_refute() {
    let court = Court::new();
    let of = "      of: [sac-era]\n      against: [sac]\n      compare: difference";
    // sac-era against itself: the interval is a point on the margin.
    let both = "      of: [sac-era]\n      against: [sac, sac-era]\n      compare: difference";
    let higher = court.changed(of, both, "control/higher");
    assert_eq!(
        (higher.verdict, higher.decides),
        (Verdict::Undecided, Some(1))
    );
    let lower = "      of: [sac-era, sac]\n      against: [sac-era]\n      compare: difference";
    assert_eq!(
        court.changed(of, lower, "control/higher").verdict,
        Verdict::NotReproduced
    );
    let missing = "      of: [sac-era, ppo]\n      against: [sac]\n      compare: difference";
    let half = court.changed(of, missing, "control/higher");
    assert_eq!((half.verdict, half.decides), (Verdict::Undecided, Some(0)));
}

#[test]
fn few_runs_decide_nothing() {
    let court = Court::new();
    let cells = &court.bench.study.cells;
    let drop = |task: &str, seeds: &[u64]| {
        for cell in cells
            .iter()
            .filter(|cell| cell.task == task && cell.method == "sac")
        {
            if seeds.contains(&cell.seed) {
                std::fs::remove_dir_all(court.bench.store.dir("cpu", cell)).unwrap();
            }
        }
    };
    drop("gym/half-cheetah", &[2]);
    let lower = |ledger: &Ledger| row(ledger, "control/lower").clone();
    let two = lower(&court.judge().unwrap());
    assert_eq!(two.verdict, Verdict::Undecided, "{two:?}");
    assert!(
        two.interval.is_some() && two.note.contains("fewer than 3 runs"),
        "{two:?}"
    );
    assert_eq!(
        (two.comparisons[0].runs, two.comparisons[0].planned),
        (2, 3)
    );
    drop("gym/half-cheetah", &[1]);
    let one = lower(&court.judge().unwrap());
    assert_eq!((one.verdict, &one.interval), (Verdict::Undecided, &None));
    assert!(
        one.note.contains("one run alone has no interval"),
        "{one:?}"
    );
    drop("gym/half-cheetah", &[0]);
    assert_eq!(
        lower(&court.judge().unwrap()).verdict,
        Verdict::NoRecordsYet
    );
    // The other task is still there for claims that name none.
    let higher = row(&court.judge().unwrap(), "control/higher").clone();
    assert_eq!(higher.comparisons[0].tasks, ["mini/reacher"]);
}

/// Processor times are compared where the program and the machine are the same, and nothing was done twice.
#[test]
fn overheads_are_those_of_pairs_of_one_program() {
    let court = Court::new();
    let test = CLAIMS.replacen(
        "compare: difference\n      metrics: [eval/return]\n      above: 0",
        "compare: overhead\n      below: 7",
        1,
    );
    court.write(
        "claims.yaml",
        &test.replacen("    size: difference\n", "", 1),
    );
    let set = |method: &str, seed: u64, edit: &dyn Fn(&mut serde_json::Value)| {
        for task in ["mini/reacher", "gym/half-cheetah"] {
            let dir = court
                .bench
                .store
                .dir("cpu", &cell(task, method, seed, Params::new()));
            let path = dir.join("run.json");
            let mut json: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            edit(&mut json);
            std::fs::write(&path, json.to_string()).unwrap();
        }
    };
    for seed in 0..3 {
        // Twice as long for each further seed: only pairs can be compared.
        let seconds = 10.0 * 2_f64.powi(i32::try_from(seed).unwrap());
        set("sac", seed, &|json| {
            json["cpu_seconds"] = seconds.into();
        });
        set("sac-era", seed, &|json| {
            json["cpu_seconds"] = (1.02 * seconds).into();
        });
    }
    let higher = || row(&court.judge().unwrap(), "control/higher").clone();
    let found = higher();
    assert_eq!(found.verdict, Verdict::Reproduced, "{found:?}");
    assert_eq!(found.estimate.as_deref(), Some("+2.00 %"));
    set("sac-era", 0, &|json| {
        json["commit"] = "another".into();
    });
    set("sac-era", 1, &|json| {
        json["attempts"] = 2.into();
    });
    let found = higher();
    assert_eq!(
        (found.comparisons[0].runs, found.comparisons[0].planned),
        (2, 6)
    );
    assert!(
        found.note.contains("2 of 3 pairs on mini/reacher left out"),
        "{found:?}"
    );
}

#[test]
fn a_damaged_record_is_left_out_and_said() {
    let court = Court::new();
    let cells = &court.bench.study.cells;
    // The rows of another seed.
    std::fs::copy(
        court.bench.metrics(&cells[1]),
        court.bench.metrics(&cells[0]),
    )
    .unwrap();
    let higher = row(&court.judge().unwrap(), "control/higher").clone();
    assert!(
        higher
            .note
            .contains(&format!("{} is left out: damaged", cells[0].id())),
        "{higher:?}"
    );
    assert!(!higher.cells.contains(&cells[0].id()));
}

#[test]
fn whatever_changes_the_ledger_makes_its_files_stale() {
    let court = Court::new();
    let templates = court.bench.paper.join("templates");
    let folder = court.bench.paper.join("generated/cpu");
    let report = || {
        let ledger = court.judge().unwrap();
        court.bench.build_with(Some(&ledger)).unwrap()
    };
    let stale = || -> Vec<String> {
        let stale = report().check(&folder).unwrap();
        stale.into_iter().map(|stale| stale.file).collect()
    };
    report().write(&folder).unwrap();
    assert!(stale().is_empty());
    let (table, provenance) = (
        "claims/claims.tex".to_owned(),
        "claims/provenance.json".to_owned(),
    );
    let both = vec![table.clone(), provenance.clone()];
    court.write("published.yaml", &PUBLISHED.replacen("0.90", "0.91", 1));
    assert_eq!(stale(), both);
    court.write("published.yaml", PUBLISHED);
    court.write(
        "claims.yaml",
        &CLAIMS.replacen("below: 0.5", "below: 0.6", 1),
    );
    assert_eq!(stale(), both);
    court.write("claims.yaml", CLAIMS);
    Bench::edit(
        &templates.join("claims.tex.j2"),
        "tabcolsep}{4pt}",
        "tabcolsep}{5pt}",
    );
    assert_eq!(stale(), [table.as_str()]);
    Bench::edit(
        &templates.join("claims.tex.j2"),
        "tabcolsep}{5pt}",
        "tabcolsep}{4pt}",
    );
    assert!(stale().is_empty());
    std::fs::remove_dir_all(court.bench.store.dir("cpu", &court.bench.study.cells[0])).unwrap();
    let changed = stale();
    assert!(
        both.iter().all(|file| changed.contains(file)),
        "{changed:?}"
    );
}

/// The line that an error points to.
fn line(text: &str, error: &ClaimsError) -> String {
    let span = error.problems()[0].span.unwrap();
    let begin = text[..span.offset()].rfind('\n').map_or(0, |at| at + 1);
    text[begin..].lines().next().unwrap().trim().to_owned()
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let court = Court::new();
    for (from, to, reason, place) in [
        ("format: 1", "format: 2", "format 2 is not 1", "format: 2"),
        ("claims:\n", "claims:\n\t- a\n", "tab", "- a"),
        (
            "where: figure 1",
            "were: figure 1",
            "were",
            "were: figure 1",
        ),
        (
            "domain: control",
            "domain: contrl",
            "contrl",
            "domain: contrl",
        ),
        (
            "id: control/lower",
            "id: control/higher",
            "two claims `control/higher`",
            "- id: control/higher",
        ),
        (
            "sources: [F]",
            "sources: [X]",
            "unknown source `X`",
            "sources: [X]",
        ),
        (
            "published: [more, less]",
            "published: [mor, less]",
            "unknown published number `mor`",
            "published: [mor, less]",
        ),
        (
            "size: difference",
            "size: kept",
            "has no use for `size: kept`",
            "size: kept",
        ),
        (
            "published: [more, less]",
            "published: [more]",
            "`size: difference` needs two numbers",
            "size: difference",
        ),
        ("above: 0", "over: 0", "over", "over: 0"),
        (
            "above: 0",
            "above: 0\n      below: 1",
            "needs one of `above`, `below` and `within`",
            "compare: difference",
        ),
        (
            "      against: [sac]\n",
            "",
            "compares by `difference` needs `against`",
            "compare: difference",
        ),
        (
            "      metrics: [eval/return]\n",
            "",
            "needs `metrics`",
            "compare: difference",
        ),
        (
            "of: [sac-era]",
            "of: [sac-ear]",
            "unknown method `sac-ear`",
            "of: [sac-ear]",
        ),
        (
            "of: [sac-era]",
            "of: [{method: sac-era, k: 2}]",
            "no cell of control at scale cpu is one of sac-era (k=2)",
            "of: [{method: sac-era, k: 2}]",
        ),
        (
            "of: [sac-era]",
            "of: [{k: 2}]",
            "missing field `method`",
            "of: [{k: 2}]",
        ),
        (
            "tasks: [gym/half-cheetah]",
            "tasks: [gym/hopper]",
            "unknown task `gym/hopper`",
            "tasks: [gym/hopper]",
        ),
        (
            "metrics: [eval/return]",
            "metrics: [eval/retrun]",
            "no run of sac-era recorded `eval/retrun`",
            "metrics: [eval/retrun]",
        ),
        (
            "less: policy/bound",
            "less: policy/bund",
            "no run of sac-era recorded `policy/bund`",
            "less: policy/bund",
        ),
        (
            "    untestable: {",
            "    why: {",
            "unknown field `why`",
            "why: {why: there is none here, needs: a thousand layers}",
        ),
    ] {
        let error = court.error(from, to);
        let said = error.to_string();
        assert!(
            said.contains("claims.yaml") && said.contains(reason),
            "{to}: {said}"
        );
        let text = CLAIMS.replacen(from, to, 1);
        assert_eq!(line(&text, &error), place, "{to}: {said}");
    }
    std::fs::remove_file(court.file("claims.yaml")).unwrap();
    let error = court.judge().unwrap_err().to_string();
    assert!(error.contains("claims.yaml"), "{error}");
}

#[test]
fn configurations_have_to_be_told_apart() {
    let mut court = Court::new();
    for target in [0.25, 0.5] {
        let params = Params::from([("target".into(), target.into())]);
        let cells = (0..3).map(|seed| cell("mini/point-mass", "ppo-era", seed, params.clone()));
        court.bench.study.cells.extend(cells);
    }
    let error = court.error("of: [ppo]", "of: [ppo-era]");
    assert!(
        error.to_string().contains("which differ in `target`"),
        "{error}"
    );
    let error = court.error("of: [ppo]", "of: [{method: ppo-era, target: 0.3}]");
    let help = error.problems()[0].help.as_deref().unwrap_or_default();
    assert_eq!(help, "target is 0.25, 0.5");
    let error = court.error("of: [ppo]", "of: [{method: ppo-era, target: 0.5}]");
    assert!(
        error.to_string().contains("no task has cells of both"),
        "{error}"
    );
}
