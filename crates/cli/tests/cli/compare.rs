//! Records held against others: what is worse is found, what is honest passes, and what cannot be compared is said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Ended, Folder, run_json};

/// Returns of about a hundred, whose noise differs from seed to seed.
const RUNS: &str = "
suite: mock
about: two methods that count
matrix: {task: mock/steps, method: [mock-sgd, mock-source], seed: [0, 1, 2, 3, 4]}
params: {steps: 100, noise: 2}
scales: {smoke: {}}
";

/// A file or folder of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// `era compare` of this repository's committed records at the cpu scale.
fn committed(folder: &Folder, args: &str) -> Ended {
    let [experiments, artifacts, baselines] =
        ["experiments", "artifacts", "baselines"].map(repository);
    folder.era(&format!(
        "compare --scale cpu --experiments {} --artifacts {} --baselines {} {args}",
        experiments.display(),
        artifacts.display(),
        baselines.display()
    ))
}

/// The committed frozen records with `change` made to each run of some configurations, as `changed.json`.
fn frozen_with(
    folder: &Folder,
    of: impl Fn(&Value) -> bool,
    mut change: impl FnMut(&mut Value),
) -> &'static str {
    let text = fs::read_to_string(repository("baselines/recorded/cpu.json")).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for configuration in document["configurations"].as_array_mut().unwrap() {
        if of(configuration) {
            configuration["runs"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(&mut change);
        }
    }
    folder.write("changed.json", &document.to_string());
    "changed.json"
}

/// Another program's run, 15 % better than what is recorded: so today's is 15 % worse.
fn better_then(run: &mut Value) {
    run["value"] = json!(run["value"].as_f64().unwrap() / 0.85);
    run["metrics_hash"] = json!("0".repeat(64));
}

fn trained(yaml: &str) -> Folder {
    let folder = Folder::with(yaml);
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    folder
}

fn report(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap()
}

/// The rows of the first experiment.
fn rows(ended: &Ended) -> Vec<Value> {
    report(ended)["experiments"][0]["rows"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn the_committed_records_are_what_is_frozen() {
    let folder = Folder::with(RUNS);
    let ended = committed(&folder, "");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    // Records that are newer than the file have nothing to be compared with; the others are equal bit for bit.
    let verdict = ended.out.lines().last().unwrap();
    let (_, counts) = verdict.split_once(": ").unwrap();
    for count in counts.split(", ") {
        let known = count.ends_with(" identical") || count.ends_with(" not compared");
        assert!(
            known,
            "{verdict}; `cargo xtask compare --freeze` makes the file again"
        );
    }
    assert!(verdict.contains(" identical"), "{verdict}");
    // And freezing them again writes the same runs, byte by byte.
    let ablations = "era-classification,era-compensation,era-distribution,era-target-entropy,ppo-what-matters,sac-what-matters";
    let again = committed(
        &folder,
        &format!("--freeze --against again.json --suite all,{ablations}"),
    );
    assert_eq!(again.code, Some(0), "{}", again.err);
    let lines = |path: &Path| -> BTreeSet<String> {
        let text = fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .map(|line| line.trim_end_matches([',', ']', '}']).to_owned());
        lines.collect()
    };
    let (frozen, again) = (
        lines(&repository("baselines/recorded/cpu.json")),
        lines(&folder.path("again.json")),
    );
    assert!(frozen.len() > 160);
    assert_eq!(frozen.difference(&again).next(), None);
}

#[test]
fn a_method_that_lost_fifteen_per_cent_is_found() {
    let folder = Folder::with(RUNS);
    // The same seeds, five runs of which each lost as much.
    let file = frozen_with(&folder, |of| of["method"] == "grpo-era", better_then);
    let suite = repository("experiments/llm.yaml");
    let args = format!("--suite {} --against {file}", suite.display());
    let ended = committed(&folder, &args);
    assert_eq!(ended.code, Some(7), "{}\n{}", ended.out, ended.err);
    assert_eq!(
        ended.out.lines().last(),
        Some("7 rows: 1 worse, 6 identical")
    );
    // A loss that is accepted is none.
    assert_eq!(
        committed(&folder, &format!("{args} --margin 20%")).code,
        Some(0)
    );

    // Other seeds: three runs against three that have nothing to do with them.
    let other_seeds = |run: &mut Value| {
        better_then(run);
        run["seed"] = json!(run["seed"].as_u64().unwrap() + 100);
    };
    let file = frozen_with(
        &folder,
        |of| of["task"] == "fashion-mnist" && of["method"] == "era",
        other_seeds,
    );
    let ended = committed(&folder, &format!("--suite vision --against {file} --json"));
    assert_eq!(ended.code, Some(7), "{}\n{}", ended.out, ended.err);
    let report = report(&ended);
    let vision = report["experiments"].as_array().unwrap();
    let vision = vision
        .iter()
        .find(|each| each["experiment"] == "vision")
        .unwrap();
    let era = vision["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["method"] == "era")
        .unwrap();
    assert_eq!(
        (&era["outcome"], &era["change"]["paired"]),
        (&json!("worse"), &json!(false))
    );
    let change = era["change"]["value"].as_f64().unwrap();
    assert!((change + 0.15).abs() < 1e-9, "{change}");
}

#[test]
fn what_the_seeds_cannot_show_is_not_called_worse() {
    let folder = Folder::with(RUNS);
    // PPO's returns on HalfCheetah lie between 965 and 3,029: another five runs that are 15 % better are nothing unusual.
    let other_seeds = |run: &mut Value| {
        better_then(run);
        run["seed"] = json!(run["seed"].as_u64().unwrap() + 100);
    };
    let of = |of: &Value| of["task"] == "gym/half-cheetah" && of["method"] == "ppo";
    let file = frozen_with(&folder, of, other_seeds);
    let args = format!(
        "--suite control-ppo --only task=gym/half-cheetah --only method=ppo --against {file}"
    );
    let ended = committed(&folder, &format!("{args} --json"));
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let row = &rows(&ended)[0];
    assert_eq!(row["outcome"], "undecided");
    // And it is said what they could have shown.
    assert!(row["change"]["detectable"].as_f64().unwrap() > 0.5, "{row}");
    assert_eq!(
        committed(&folder, &format!("{args} --fail-on-undecided")).code,
        Some(7)
    );
}

#[test]
fn honest_runs_with_other_seeds_pass() {
    let (now, then) = (
        trained(RUNS),
        trained(&RUNS.replace("[0, 1, 2, 3, 4]", "[5, 6, 7, 8, 9]")),
    );
    let against = then.path("artifacts").display().to_string();
    let ended = now.era(&format!("compare --suite mock --against {against} --json"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for row in rows(&ended) {
        assert_eq!(
            (&row["outcome"], &row["change"]["paired"]),
            (&json!("no-worse"), &json!(false)),
            "{row}"
        );
    }
    // Recorded runs of language models, whatever two seeds are one side and whatever three the other.
    let folder = Folder::with(RUNS);
    for (now, then) in [("0,1", [2, 3, 4]), ("2,4", [0, 1, 3]), ("0,1,3", [2, 4, 4])] {
        let text = fs::read_to_string(repository("baselines/recorded/cpu.json")).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        let configurations = document["configurations"].as_array_mut().unwrap();
        for configuration in &mut *configurations {
            let runs = configuration["runs"].as_array_mut().unwrap();
            runs.retain(|run| then.iter().any(|seed| run["seed"] == *seed));
        }
        configurations.retain(|each| !each["runs"].as_array().unwrap().is_empty());
        folder.write("some.json", &document.to_string());
        let suite = repository("experiments/llm.yaml");
        let args = format!(
            "--suite {} --only seed={now} --against some.json",
            suite.display()
        );
        let ended = committed(&folder, &args);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
        assert!(
            ended.out.ends_with("7 rows: 7 undecided\n"),
            "{}",
            ended.out
        );
    }
}

#[test]
fn records_are_frozen_and_compared() {
    let folder = trained(RUNS);
    let compare = |args: &str| folder.era(&format!("compare --suite mock {args}"));
    let missing = compare("");
    assert_eq!(missing.code, Some(5));
    assert!(
        missing.err.contains("compare --freeze --scale smoke"),
        "{}",
        missing.err
    );
    let frozen = compare("--freeze");
    assert_eq!(frozen.code, Some(0), "{}", frozen.err);
    assert_eq!(
        frozen.out,
        "10 runs of 2 configurations frozen in baselines/recorded/smoke.json\n"
    );
    assert!(compare("--freeze").out.contains("nothing is new"));
    let same = compare("");
    assert_eq!(same.code, Some(0));
    assert!(same.out.ends_with("2 rows: 2 identical\n"), "{}", same.out);
    // Some of it: the rest stays in the file.
    let some = compare("--freeze --only method=mock-sgd --only seed=0,1,2");
    assert_eq!(
        some.out,
        "3 runs of 1 configuration frozen in baselines/recorded/smoke.json\n\
         1 configuration in it that were not chosen stay\n\
         mock mock/steps mock-sgd: 3 runs now, 5 before\n"
    );
    let markdown = compare("--markdown").out;
    assert!(
        markdown.starts_with("### Records compared, scale `smoke`: no row is worse\n"),
        "{markdown}"
    );
    insta::assert_snapshot!("compare_text", compare("").out);
    insta::assert_snapshot!("compare_markdown", markdown);
}

#[test]
fn a_cell_that_failed_now_is_not_passed_over() {
    let folder = trained(RUNS);
    assert_eq!(folder.era("compare --suite mock --freeze").code, Some(0));
    fail(&folder.cell("mock-sgd.s1."));
    let ended = folder.era("compare --suite mock");
    assert_eq!(ended.code, Some(4), "{}", ended.out);
    assert!(
        ended.out.contains("failed: out of memory (now)"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .ends_with("2 rows: 2 identical; 1 cell that the baseline has failed\n"),
        "{}",
        ended.out
    );
    let markdown = folder.era("compare --suite mock --markdown").out;
    assert!(markdown.contains(": 1 cell failed"), "{markdown}");
    // All of a method: nothing of it is compared.
    for seed in [0, 2, 3, 4] {
        fail(&folder.cell(&format!("mock-sgd.s{seed}.")));
    }
    let ended = folder.era("compare --suite mock");
    assert_eq!(ended.code, Some(4));
    assert!(
        ended.out.contains("no run of it ended well"),
        "{}",
        ended.out
    );
}

/// Makes a finished cell one that failed.
fn fail(cell: &Path) {
    let mut run = run_json(cell);
    run["status"] =
        json!({"state": "failed", "kind": "killed", "reason": "out of memory", "tail": []});
    fs::write(cell.join("run.json"), run.to_string()).unwrap();
}

#[test]
fn a_cell_that_failed_in_the_other_folder_is_said() {
    let (now, then) = (trained(RUNS), trained(RUNS));
    fail(&then.cell("mock-source.s3."));
    let against = then.path("artifacts").display().to_string();
    let ended = now.era(&format!("compare --suite mock --against {against}"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended
            .out
            .contains("failed: out of memory (in the baseline)"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("1 run with a seed that only one side has"),
        "{}",
        ended.out
    );
}

#[test]
fn one_seed_decides_nothing_and_says_why() {
    let one = RUNS.replace("[0, 1, 2, 3, 4]", "1");
    let (now, then) = (trained(&one), trained(&one.replace("seed: 1", "seed: [7]")));
    let against = then.path("artifacts").display().to_string();
    let ended = now.era(&format!("compare --suite mock --against {against}"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.out.contains("too few runs to show a spread"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.ends_with("2 rows: 2 undecided\n"),
        "{}",
        ended.out
    );
}

#[test]
fn nothing_to_compare_is_no_success() {
    let folder = trained(RUNS);
    let of = |args: &str| folder.era(&format!("compare --suite mock {args}"));
    assert_eq!(of("--freeze").code, Some(0));
    assert_eq!(of("--only method=adam").code, Some(3));
    // Another budget is another configuration, and it is said which.
    folder.write(
        "experiments/mock.yaml",
        &RUNS.replace("steps: 100", "steps: 90"),
    );
    assert_eq!(folder.reproduce("").code, Some(0));
    let ended = of("");
    assert_eq!(ended.code, Some(3), "{}", ended.out);
    assert!(
        ended.out.contains("steps: 100 there, 90 now"),
        "{}",
        ended.out
    );
    let empty = folder.path("empty");
    fs::create_dir(&empty).unwrap();
    let ended = of(&format!("--against {}", empty.display()));
    assert_eq!(ended.code, Some(3), "{}", ended.out);
    assert!(ended.err.contains("compare anything"), "{}", ended.err);
    folder.write(
        "experiments/mock.yaml",
        &RUNS.replace("steps: 100", "steps: 80"),
    );
    let ended = of("--freeze");
    assert_eq!(ended.code, Some(3), "{}", ended.out);
    assert!(
        ended.err.contains("cargo xtask reproduce --scale smoke"),
        "{}",
        ended.err
    );
}

/// A message without the lines that it is broken into.
fn flat(message: &str) -> String {
    let words = message.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_file_that_is_not_what_freezing_writes_is_refused_with_its_line() {
    let folder = trained(RUNS);
    assert_eq!(folder.era("compare --suite mock --freeze").code, Some(0));
    let file = folder.path("baselines/recorded/smoke.json");
    let whole = fs::read_to_string(&file).unwrap();
    let first_run = whole
        .lines()
        .position(|line| line.contains("\"seed\":0"))
        .unwrap()
        + 1;
    let value = whole
        .split("\"value\":")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    for (from, to, line, said) in [
        (value, "NaN", first_run, "expected value"),
        (value, "1e999", first_run, "number out of range"),
        (
            "\"seed\":1",
            "\"seed\":0",
            first_run + 4,
            "seed 0 stands twice",
        ),
        (
            "\"commit\"",
            "\"comit\"",
            first_run,
            "unknown field `comit`",
        ),
        (
            "\"metrics_hash\":\"",
            "\"metrics_hash\":\"x",
            first_run,
            "is no hash",
        ),
        ("mock-sgd", "mock-source", first_run + 5, "stands twice"),
    ] {
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let ended = folder.era("compare --suite mock");
        assert_eq!(ended.code, Some(5), "{said}: {}", ended.out);
        let told = flat(&ended.err);
        let expected = format!("smoke.json, line {line}: ");
        assert!(
            told.contains(&expected) && told.contains(said),
            "{said}: {}",
            ended.err
        );
        assert!(told.contains("git restore"), "{}", ended.err);
    }
    for (from, to, said) in [
        ("\"format\": 1", "\"format\": 2", "it has format 2"),
        (
            "\"scale\": \"smoke\"",
            "\"scale\": \"cpu\"",
            "it is of scale `cpu`",
        ),
    ] {
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        let ended = folder.era("compare --suite mock");
        assert_eq!(ended.code, Some(5), "{}", ended.out);
        let told = flat(&ended.err);
        assert!(told.contains(said), "{}", ended.err);
    }
}
