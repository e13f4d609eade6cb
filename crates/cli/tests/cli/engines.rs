//! Runs on every engine of the build: one cell of each suite, to its end.
//!
//! The build of `cargo xtask test` has one engine; `cargo xtask test --engine NAME` makes one with another.

use std::collections::BTreeSet;

use crate::support::{Folder, run_json};

const CONTROL: &str = "
suite: control
about: a run of few steps
matrix: {task: mini/reacher, method: sac-era, seed: 1}
params:
  {steps: 400, hidden: [32, 32], batch_size: 32, learning_starts: 100, eval_every: 200, eval_episodes: 1}
scales: {smoke: {}}
";

const VISION: &str = "
suite: vision
about: a run of few images
matrix: {task: shapes, method: era, seed: 1}
params:
  {arch: resnet-8, epochs: 1, batch_size: 16, train_per_class: 16, test_per_class: 4, warmup_epochs: 0.5}
scales: {smoke: {}}
";

const LLM: &str = "
suite: llm
about: a run of few updates
matrix: {task: chain-sum, method: grpo-era, seed: 1}
scales: {smoke: {}}
";

/// The parameters of the suite's smoke scale, so that its policy is as small.
fn llm() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments/llm.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let (_, smoke) = text.split_once("\n  smoke:\n").unwrap();
    let (_, params) = smoke.split_once("    params:\n").unwrap();
    let lines = params.lines().take_while(|line| line.starts_with("      "));
    let params: String = lines.map(|line| format!("{}\n", &line[4..])).collect();
    format!("{LLM}\nparams:\n{params}")
}

/// The engines of this build that have a device here: a run on one that has none ends with exit code 5.
fn engines(folder: &Folder) -> Vec<&'static str> {
    let all = ["flex", "libtorch", "libtorch-cuda", "wgpu", "cuda"];
    let there = all.into_iter().filter(|engine| {
        let ended = folder.reproduce(&format!("--device {engine}"));
        assert!(matches!(ended.code, Some(0 | 5)), "{engine}: {}", ended.err);
        ended.code == Some(0)
    });
    there.collect()
}

#[test]
fn engines_run_a_cell_of_every_suite() {
    const MOCK: &str = "
suite: mock
about: nothing
matrix: {task: mock/quadratic, method: mock-sgd, seed: 1}
params: {steps: 1}
scales: {smoke: {}}
";
    let folder = Folder::with(MOCK);
    let engines = engines(&folder);
    assert!(engines.contains(&"flex"));
    if engines.len() == 1 {
        eprintln!("skipped on other engines than flex: this build and machine have none");
    }
    for (suite, yaml) in [("control", CONTROL), ("vision", VISION), ("llm", &llm())] {
        folder.write(&format!("experiments/{suite}.yaml"), yaml);
        for engine in &engines {
            let ended = folder.era(&format!("reproduce --suite {suite} --device {engine}"));
            assert_eq!(ended.code, Some(0), "{suite} on {engine}: {}", ended.err);
            assert!(
                !ended.err.contains("nothing to run"),
                "an engine is part of a cell: {}",
                ended.err
            );
            let again = folder.era(&format!("reproduce --suite {suite} --device {engine}"));
            assert!(again.err.contains("nothing to run"), "{}", again.err);
        }
    }
    let recorded: BTreeSet<String> = folder
        .cells()
        .iter()
        .map(|cell| {
            assert_eq!(run_json(cell)["status"]["state"], "done");
            let text = std::fs::read_to_string(cell.join("cell.json")).unwrap();
            let cell: serde_json::Value = serde_json::from_str(&text).unwrap();
            cell["engine"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(recorded, engines.iter().map(ToString::to_string).collect());
}

#[test]
fn engines_without_bfloat16_refuse_it_and_others_train_in_it() {
    let folder = Folder::with(&VISION.replace("{arch", "{precision: bf16, arch"));
    let ended = folder.era("reproduce --suite experiments/mock.yaml --device flex");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    assert!(said.contains("flex has 32-bit floats only"), "{said}");
    let other = folder.era("reproduce --suite experiments/mock.yaml --device libtorch");
    match other.code {
        Some(5) => eprintln!("skipped on libtorch: this build has none"),
        code => assert_eq!(code, Some(0), "{}", other.err),
    }
}

/// An experiment that nothing here looks at.
const NONE: &str = "suite: mock\nabout: none\nmatrix: {task: mock, method: [mock], seed: 1}\nscales: {smoke: {}}\n";

#[test]
fn engines_of_this_build_agree() {
    if !cfg!(feature = "libtorch") {
        eprintln!(
            "this build has one engine, so nothing was compared (--features era-cli/libtorch)"
        );
        return;
    }
    let ended = Folder::with(NONE).era("verify --engines flex,libtorch");
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for suite in ["control", "vision", "llm"] {
        let lines = ended.out.lines().filter(|line| line.starts_with(suite));
        assert_eq!(lines.count(), 2, "{}", ended.out);
    }
    let pairs = ended.out.matches("flex, libtorch ").count();
    assert_eq!(pairs, 3, "{}", ended.out);
    // Two engines that agree to the last bit are one that was computed twice.
    assert!(
        !ended.out.contains("NaN") && ended.out.contains("e-7"),
        "{}",
        ended.out
    );
}

#[test]
fn engines_that_cannot_be_compared_are_told() {
    let folder = Folder::with(NONE);
    for (given, code, said) in [
        ("flex", 2, "two engines or more"),
        ("flex,", 2, "two engines or more"),
        ("flex,abacus", 5, "there is no such engine"),
        ("flex,flex:1", 5, "there are 1"),
    ] {
        let ended = folder.era(&format!("verify --engines {given}"));
        assert_eq!(ended.code, Some(code), "{given}: {}", ended.err);
        assert!(ended.err.contains(said), "{given}: {}", ended.err);
        assert!(ended.out.is_empty(), "{given}: {}", ended.out);
    }
}
