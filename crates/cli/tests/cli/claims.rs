//! The ledger: printed, part of the paper's folder, and never staler than the records.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::report;
use crate::support::Folder;

const PUBLISHED: &str = "\
format: 1
sources: {F: figures}
entries:
  - {id: more, what: score, method: mock-momentum, metric: score, source: F, where: figure 1, values: [0.9], decimals: 1}
";

const CLAIMS: &str = "\
format: 1
claims:
  - id: control/momentum
    statement: momentum helps
    domain: control
    sources: [F]
    where: figure 1
    published: [more]
    test:
      experiments: [mock]
      scales: {smoke: a parabola instead of a network}
      of: [mock-momentum]
      against: [mock-sgd]
      compare: difference
      metrics: [eval/return]
      decimals: 4
      above: -1000
";

/// Two methods with three seeds, all of them run, and a claim about them.
fn folder() -> Folder {
    let folder = report::folder();
    folder.write("baselines/claims.yaml", CLAIMS);
    folder.write("baselines/published.yaml", PUBLISHED);
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    folder
}

const CHECK: &str = "paper --suite mock --check";

#[test]
fn the_ledger_is_printed_and_written() {
    let folder = folder();
    let ended = folder.era("claims --scale smoke");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended
            .out
            .contains("reproduced in miniature: control/momentum"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .trim_end()
            .ends_with("no records yet                0"),
        "{}",
        ended.out
    );
    let ended = folder.era("claims --scale smoke --json");
    let ledger: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(ledger["rows"][0]["verdict"], "reproduced-in-miniature");
    assert_eq!(ledger["rows"][0]["cells"].as_array().unwrap().len(), 6);
    let written = folder.path("paper/generated/smoke/claims");
    let table = fs::read_to_string(written.join("claims.tex")).unwrap();
    assert!(
        table.contains("smoke scale: shows") && table.contains("momentum helps"),
        "{table}"
    );
    assert_eq!(
        fs::read_to_string(written.join("provenance.json")).unwrap(),
        ended.out
    );
    // Another scale has no experiment, and no claim that is tested there.
    let ended = folder.era("claims --scale cpu");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(
        ended.out.contains("it is tested at scale smoke"),
        "{}",
        ended.out
    );
}

#[test]
fn one_digit_anywhere_fails_the_check_and_is_named() {
    let folder = folder();
    assert_eq!(folder.era(CHECK).code, Some(0));
    let cell = folder.cell("mock-sgd.s0");
    for (file, from, to) in [
        ("baselines/published.yaml", "[0.9]", "[0.8]"),
        ("baselines/claims.yaml", "-1000", "-1001"),
        ("paper/templates/claims.tex.j2", "{4pt}", "{5pt}"),
        ("paper/generated/smoke/claims/claims.tex", "{4pt}", "{3pt}"),
    ] {
        let path = folder.path(file);
        let before = fs::read_to_string(&path).unwrap();
        assert!(before.contains(from), "{file}");
        fs::write(&path, before.replacen(from, to, 1)).unwrap();
        let ended = folder.era(CHECK);
        assert_eq!(ended.code, Some(6), "{file}: {}", ended.err);
        assert!(
            ended.out.contains("claims/claims.tex differs"),
            "{file}: {}",
            ended.out
        );
        fs::write(&path, before).unwrap();
        assert_eq!(folder.era(CHECK).code, Some(0), "{file}");
    }
    // The rows of another run, as if somebody had copied a file.
    fs::copy(
        folder.cell("mock-sgd.s1").join("metrics.parquet"),
        cell.join("metrics.parquet"),
    )
    .unwrap();
    let ended = folder.era(CHECK);
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    for file in [
        "claims/claims.tex",
        "claims/provenance.json",
        "mock/control-returns.tex",
    ] {
        assert!(ended.out.contains(file), "{file}: {}", ended.out);
    }
}

#[test]
fn what_is_wrong_with_a_claim_is_shown_before_anything_runs() {
    for (from, to, said) in [
        (
            "experiments: [mock]",
            "experiments: [mocks]",
            "did you mean `mock`",
        ),
        (
            "of: [mock-momentum]",
            "of: [mock-momentun]",
            "did you mean `mock-momentum`",
        ),
        ("above: -1000", "obove: -1000", "obove"),
    ] {
        let folder = report::folder();
        folder.write("baselines/published.yaml", PUBLISHED);
        folder.write("baselines/claims.yaml", &CLAIMS.replacen(from, to, 1));
        // An experiment of a claim that names it too, so that the claims are looked at.
        let other = CLAIMS.replacen("control/momentum", "control/sgd", 1);
        let (_, other) = other.split_once("claims:\n").unwrap();
        if to.contains("mocks") {
            let both = CLAIMS.replacen(from, to, 1) + other;
            folder.write("baselines/claims.yaml", &both);
        }
        let ended = folder.reproduce("");
        assert_eq!(ended.code, Some(3), "{to}: {}", ended.err);
        assert!(ended.err.contains(said), "{to}: {}", ended.err);
        assert!(
            ended.err.contains("claims.yaml:"),
            "{to}: no place: {}",
            ended.err
        );
        assert!(!folder.path("artifacts").exists(), "{to}");
    }
}

#[test]
fn without_claims_there_is_no_ledger() {
    let folder = report::folder();
    assert_eq!(folder.reproduce("").code, Some(0));
    assert!(!folder.path("paper/generated/smoke/claims").exists());
    let ended = folder.era("claims --scale smoke");
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.contains("claims.yaml"), "{}", ended.err);
}

/// The claims of this repository fit its experiments at every scale at which they are tested.
#[test]
fn the_papers_claims_fit_the_experiments() {
    let folder = Folder::with(CLAIMS);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.display();
    for scale in ["cpu", "paper"] {
        let ended = folder.era(&format!(
            "claims --json --scale {scale} --experiments {root}/experiments --baselines {root}/baselines \
             --artifacts {root}/artifacts --paper {root}/paper"
        ));
        assert_eq!(ended.code, Some(0), "{scale}: {}", ended.err);
        let ledger: Value = serde_json::from_str(&ended.out).unwrap();
        let rows = ledger["rows"].as_array().unwrap();
        assert!(rows.len() >= 40, "{}", rows.len());
        for row in rows {
            let judged = row["interval"].is_array();
            assert!(
                !judged || !row["cells"].as_array().unwrap().is_empty(),
                "{row}"
            );
            let verdict = row["verdict"].as_str().unwrap();
            assert!(judged || !verdict.contains("reproduced"), "{row}");
            // Where nothing of the paper's was run, nothing is called so.
            assert!(scale != "cpu" || verdict != "reproduced", "{row}");
        }
    }
}
