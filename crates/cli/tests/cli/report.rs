//! Tables, figures and numbers: made from records, held against them.

use std::fs;
use std::path::Path;

use crate::support::Folder;

const REPORTED: &str = "
suite: mock
about: two methods with a table and a figure
matrix: {task: mock/quadratic, method: [mock-sgd, mock-momentum], seed: 3}
params: {steps: 40}
scales: {smoke: {}}
report: {tables: [control-returns], figures: [control-curves]}
";

/// A folder with the templates of this repository.
pub(crate) fn folder() -> Folder {
    let folder = Folder::with(REPORTED);
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../paper/templates");
    for template in fs::read_dir(templates).unwrap() {
        let template = template.unwrap();
        let name = template.file_name().into_string().unwrap();
        let text = fs::read_to_string(template.path()).unwrap();
        folder.write(&format!("paper/templates/{name}"), &text);
    }
    folder
}

#[test]
fn one_command_ends_in_tables_and_figures() {
    let folder = folder();
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for file in [
        "control-returns.tex",
        "control-curves.svg",
        "control-curves.pdf",
        "numbers.tex",
        "provenance.json",
    ] {
        let path = folder.path("paper/generated/smoke/mock").join(file);
        assert!(path.exists(), "{file} is not there");
    }
    let page = fs::read_to_string(folder.path("paper/generated/smoke/report.html")).unwrap();
    assert!(page.contains("mock-momentum") && page.contains("not a result"));
    assert!(ended.out.contains("mock-momentum"), "{}", ended.out);
    let again = folder.reproduce("");
    assert!(
        again.out.contains("0 of them new or changed"),
        "{}",
        again.out
    );
}

#[test]
fn a_check_finds_what_is_stale_and_writes_nothing() {
    let folder = folder();
    assert_eq!(folder.reproduce("").code, Some(0));
    let check = || folder.era("paper --suite mock --check");
    assert_eq!(check().code, Some(0));
    let table = folder.path("paper/generated/smoke/mock/control-returns.tex");
    let text = fs::read_to_string(&table).unwrap();
    fs::write(&table, text.replacen("quadratic", "cubic", 1)).unwrap();
    let ended = check();
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    assert!(ended.out.contains("control-returns.tex"), "{}", ended.out);
    assert_ne!(fs::read_to_string(&table).unwrap(), text);
    assert_eq!(folder.era("report --suite mock").code, Some(0));
    assert_eq!(fs::read_to_string(&table).unwrap(), text);
    // A record that is gone changes the numbers.
    fs::remove_dir_all(folder.cell("mock-sgd.s0")).unwrap();
    assert_eq!(check().code, Some(6));
}

#[test]
fn what_is_reported_does_not_depend_on_what_was_run_last() {
    let (at_once, in_turns) = (folder(), folder());
    assert_eq!(at_once.reproduce("").code, Some(0));
    for only in ["seed=0", "seed=1,2"] {
        assert_eq!(in_turns.reproduce(&format!("--only {only}")).code, Some(0));
    }
    let numbers =
        |folder: &Folder| fs::read(folder.path("paper/generated/smoke/mock/numbers.tex")).unwrap();
    assert_eq!(numbers(&at_once), numbers(&in_turns));
}

#[test]
fn cells_that_failed_do_not_cost_the_report() {
    let folder = folder();
    let faulty = format!("{REPORTED}overrides: [{{match: {{seed: 1}}, params: {{fail_at: 7}}}}]\n");
    folder.write("experiments/mock.yaml", &faulty);
    let ended = folder.reproduce("");
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(
        folder
            .path("paper/generated/smoke/mock/control-returns.tex")
            .exists()
    );
    assert!(
        ended.out.trim_end().ends_with("shows their last lines"),
        "{}",
        ended.out
    );
}
