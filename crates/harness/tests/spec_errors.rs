//! What is wrong with an experiment file is said with file, line, column, snippet and hint: one snapshot for each kind.

mod spec;

use era_harness::spec::{Experiment, Fault, Filter};
use spec::{OUTPUTS, file, load, registry, rendered};

/// The text with which loading `text` fails.
fn refusal(text: impl AsRef<[u8]>) -> String {
    let (folder, path) = file(text.as_ref());
    match Experiment::load(&path, &registry(), OUTPUTS) {
        Ok(_) => "(accepted)".to_owned(),
        Err(error) => rendered(&error, folder.path()),
    }
}

/// A correct file in which `old` is replaced by `new`.
fn changed(old: &str, new: &str) -> String {
    assert!(CORRECT.contains(old), "`{old}` is not in the file");
    CORRECT.replacen(old, new, 1)
}

const CORRECT: &str = "\
suite: control
about: SAC with and without ERA
matrix:
  task: [mini/reacher, mini/point-mass]
  method: [sac, sac-era]
  seed: 2
params: {steps: 2000, discount: 0.99}
scales:
  smoke: {params: {hidden: [64, 64]}}
  cpu:
    task: gym/half-cheetah
    seed: [0, 1, 2]
    params: {steps: 100000}
    time_limit: 30m
overrides:
  - match: {method: sac-era, task: mini/reacher}
    params: {target_entropy_per_dim: 0.1}
exclude: [{method: sac, task: mini/point-mass}]
report: {tables: [control-returns], figures: [control-curves]}
";

/// One snapshot: the name, what is replaced in the correct file, and by what.
macro_rules! refused {
    ($($name:ident: $old:literal => $new:literal;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(refusal(changed($old, $new)));
        })*
    };
}

#[test]
fn the_correct_file_is_accepted() {
    assert!(load(CORRECT).is_ok());
}

refused! {
    unknown_key: "about:" => "abuot:";
    unknown_key_in_a_scale: "    seed: [0, 1, 2]" => "    seeds: [0, 1, 2]";
    unknown_key_in_an_override: "    params: {target" => "    parameters: {target";
    unknown_key_in_the_report: "tables: [" => "table: [";
    missing_matrix_key: "  seed: 2\n" => "";
    missing_suite: "suite: control\n" => "";
    unknown_suite: "suite: control" => "suite: contorl";
    unknown_task: "[mini/reacher, mini" => "[mini/reacer, mini";
    unknown_method: "sac, sac-era]" => "sac, sac-ear]";
    unknown_table: "control-returns" => "control-return";
    unknown_figure: "control-curves" => "learning";
    wrong_type_of_matrix: "params: {steps: 2000, discount: 0.99}" => "params: [steps, 2000]";
    wrong_type_of_method: "[sac, sac-era]" => "[sac, 1]";
    wrong_type_of_seed: "seed: 2" => "seed: two";
    wrong_type_of_a_parameter: "steps: 2000" => "steps: fast";
    wrong_type_in_a_list: "hidden: [64, 64]" => "hidden: [64, big]";
    wrong_choice: "discount: 0.99" => "optimiser: sgd";
    a_mapping_as_parameter: "discount: 0.99" => "discount: {from: 0.9, to: 0.99}";
    fraction_for_a_whole_number: "steps: 2000" => "steps: 0.5";
    negative_seeds: "[0, 1, 2]" => "[0, -1, 2]";
    no_seeds: "seed: 2" => "seed: 0";
    negative_steps: "steps: 2000" => "steps: -5";
    zero_steps: "steps: 2000" => "steps: 0";
    out_of_range: "discount: 0.99" => "discount: 1.5";
    not_a_number: "discount: 0.99" => "discount: .nan";
    overflowing_number: "discount: 0.99" => "discount: 1e999";
    empty_axis: "method: [sac, sac-era]" => "method: []";
    duplicate_seed: "[0, 1, 2]" => "[0, 1, 1]";
    duplicate_method: "[sac, sac-era]" => "[sac, sac-era, sac]";
    duplicate_cell: "  seed: 2" => "  discount: [1, 1.0]\n  seed: 2";
    task_that_a_method_cannot_run: "task: gym/half-cheetah\n" => "task: mini/pendulum\n    method: [sac, ppo]\n";
    duplicate_yaml_key: "params: {steps: 2000" => "params: {steps: 1000, steps: 2000";
    tab: "  task: [mini/reacher" => "\ttask: [mini/reacher";
    wrong_indent: "  method: [sac, sac-era]" => "   method: [sac, sac-era]";
    unclosed_bracket: "[sac, sac-era]" => "[sac, sac-era";
    two_documents: "scales:" => "---\nscales:";
    unknown_parameter: "discount: 0.99" => "dicsount: 0.99";
    unknown_parameter_in_a_scale: "hidden: [64, 64]" => "hiden: [64, 64]";
    unknown_axis: "  seed: 2" => "  learning_rate: [0.1, 0.2]\n  seed: 2";
    parameter_of_another_method_in_an_override: "match: {method: sac-era" => "match: {method: [sac, sac-era]";
    override_of_an_unknown_method: "match: {method: sac-era" => "match: {method: sac-erra";
    override_on_an_unknown_axis: "match: {method: sac-era" => "match: {methods: sac-era";
    override_that_matches_nothing: "match: {method: sac-era, task: mini/reacher}" => "match: {task: gym/half-cheetah, seed: [1, 2], method: sac-era}\n    params: {target_entropy_per_dim: 0.2}\n  - match: {task: mini/reacher, seed: 2}";
    exclude_that_matches_nothing: "exclude: [{method: sac, task: mini/point-mass}]" => "exclude: [{seed: 2, task: mini/point-mass}]";
    exclude_that_leaves_nothing: "exclude: [{method: sac, task: mini/point-mass}]" => "exclude: [{task: gym/half-cheetah}]";
    bad_time_limit: "time_limit: 30m" => "time_limit: 30 parsecs";
    time_limit_without_unit: "time_limit: 30m" => "time_limit: 30";
    unknown_value_of_missing: "time_limit: 30m" => "missing: skipp";
    wrong_type_of_missing: "time_limit: 30m" => "missing: [skip]";
    missing_outside_of_a_scale: "about: SAC" => "missing: skip\nabout: SAC";
    scale_with_a_path_as_name: "  smoke:" => "  ../smoke:";
    no_scales: "scales:\n  smoke: {params: {hidden: [64, 64]}}\n  cpu:\n    task: gym/half-cheetah\n    seed: [0, 1, 2]\n    params: {steps: 100000}\n    time_limit: 30m\n" => "scales: {}\n";
    unknown_alias: "seed: 2" => "seed: *seeds";
    too_many_cells: "  seed: 2" => "  discount: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n  seed: 10000";
}

#[test]
fn several_problems_are_said_in_one_go_and_none_follows_from_another() {
    let text = changed("sac, sac-era]", "sac, sac-erra]")
        .replace("steps: 2000", "steps: -5")
        .replace("30m", "soon");
    insta::assert_snapshot!(refusal(text));
}

#[test]
fn empty_file() {
    insta::assert_snapshot!(refusal("# nothing yet\n"));
}

#[test]
fn not_a_mapping() {
    insta::assert_snapshot!(refusal("- suite: control\n"));
}

#[test]
fn not_utf8() {
    insta::assert_snapshot!(refusal(b"suite: control\nabout: caf\xe9\n"));
}

#[test]
fn missing_file() {
    let (folder, path) = file(CORRECT.as_bytes());
    let error = Experiment::load(&path.with_file_name("experimnt.yaml"), &registry(), OUTPUTS);
    insta::assert_snapshot!(rendered(
        &error.expect_err("there is no such file"),
        folder.path()
    ));
}

#[test]
fn a_folder() {
    let (folder, path) = file(CORRECT.as_bytes());
    let error = Experiment::load(&path.with_file_name("."), &registry(), OUTPUTS)
        .expect_err("a folder is no file");
    let text =
        rendered(&error, folder.path()).replace(&folder.path().display().to_string(), "(folder)");
    insta::assert_snapshot!(text);
}

/// Nested aliases: each level has ten of the level below, so that 12 lines stand for 10^10 values.
fn alias_bomb() -> String {
    let level = |n: u32| {
        format!(
            "l{n}: &l{n} [{}]\n",
            vec![format!("*l{}", n - 1); 10].join(", ")
        )
    };
    let levels: String = (1..=10).map(level).collect();
    format!("suite: control\nl0: &l0 [1, 1]\n{levels}")
}

#[test]
fn nested_aliases_that_stand_for_ten_billion_values() {
    insta::assert_snapshot!(refusal(alias_bomb()));
}

#[test]
fn ten_megabytes_of_nested_aliases() {
    let mut text = String::from("suite: control\nl0: &l0 [1, 1]\n");
    for n in 1.. {
        text += &format!("l{n}: &l{n} [*l{}, *l{}]\n", n - 1, n - 1);
        if text.len() > 10_000_000 {
            break;
        }
    }
    insta::assert_snapshot!(refusal(text));
}

#[test]
fn deep_nesting() {
    insta::assert_snapshot!(refusal(
        "a: ".to_owned() + &"[".repeat(100) + &"]".repeat(100)
    ));
}

#[test]
fn a_huge_file() {
    let (folder, path) = file(b"");
    let huge = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file was just made");
    huge.set_len(1 << 34).expect("a sparse file takes no space");
    let error = Experiment::load(&path, &registry(), OUTPUTS).expect_err("16 GiB are too much");
    insta::assert_snapshot!(rendered(&error, folder.path()));
}

/// The text with which planning fails, for a scale and `--only` options.
fn plan_refusal(scale: &str, only: &[&str]) -> String {
    let (folder, path) = file(CORRECT.as_bytes());
    let experiment = Experiment::load(&path, &registry(), OUTPUTS).expect("a correct file");
    let filters: Vec<Filter> = only
        .iter()
        .map(|text| text.parse().expect("KEY=VALUE"))
        .collect();
    let error = experiment
        .plan(scale, &filters, "flex")
        .expect_err("nothing matches");
    rendered(&error, folder.path())
}

#[test]
fn unknown_scale() {
    insta::assert_snapshot!(plan_refusal("smok", &[]));
}

#[test]
fn unknown_filter_key() {
    insta::assert_snapshot!(plan_refusal("smoke", &["taks=mini/reacher"]));
}

#[test]
fn unknown_filter_value() {
    insta::assert_snapshot!(plan_refusal("smoke", &["method=sac,sac-erra", "seed=7"]));
}

#[test]
fn filters_that_exclude_one_another() {
    insta::assert_snapshot!(plan_refusal(
        "smoke",
        &["method=sac", "task=mini/point-mass"]
    ));
}

#[test]
fn a_filter_without_a_value_is_refused() {
    for text in ["task", "=x", "task=", "task=a,,b", "task=a,"] {
        let error = text.parse::<Filter>().expect_err(text).to_string();
        assert!(
            error.starts_with(&format!("`{text}` is not KEY=VALUE")),
            "{error}"
        );
    }
}

#[test]
fn the_fault_can_be_told_apart_by_programs() {
    let error = load(changed("steps: 2000", "steps: -5")).expect_err("negative steps");
    let faults: Vec<&Fault> = error
        .problems()
        .iter()
        .map(|problem| &problem.fault)
        .collect();
    assert!(
        matches!(faults.as_slice(), [Fault::Param(error)] if error.key() == "steps"),
        "{faults:?}"
    );
}
