//! From an experiment file to cells: order, precedence, shared parameters, filters, and what makes cells equal.

mod spec;

use std::time::Duration;

use era_harness::method;
use era_harness::spec::{Experiment, Missing, Plan};
use era_harness::{Cell, Params};
use proptest::prelude::*;
use serde_json::{Value, json};
use spec::{SacParams, load};

const FILE: &str = "\
suite: control
about: SAC with and without ERA
matrix:
  task: [mini/reacher, mini/point-mass]
  method: [sac, sac-era]
  target_entropy_per_dim: [0.1, 0.2]
  seed: 2
params: {steps: 1000, discount: 0.9, batch_size: 32}
time_limit: 1h
scales:
  smoke: {params: {steps: 2e3}}
  cpu: {task: gym/half-cheetah, seed: [5, 3], target_entropy_per_dim: 0.5, time_limit: 90s}
  bare:
overrides:
  - match: {task: mini/reacher, seed: 1}
    params: {steps: 7}
  - match: {task: mini/reacher, method: sac, seed: 1}
    params: {steps: 8, hidden: [4]}
exclude: [{task: mini/point-mass, method: sac-era, target_entropy_per_dim: 0.2}]
report: {tables: [control-returns]}
";

fn plan(text: &str, scale: &str, only: &[&str]) -> Plan {
    let filters: Vec<_> = only
        .iter()
        .map(|filter| filter.parse().expect("KEY=VALUE"))
        .collect();
    accepted(text)
        .plan(scale, &filters, "flex")
        .expect("a scale and filters that match")
}

fn accepted(text: &str) -> Experiment {
    load(text).unwrap_or_else(|error| panic!("{error}: {:?}", error.problems()))
}

/// Task, method, seed and target entropy of each cell, in the order of the plan.
fn points(plan: &Plan) -> Vec<String> {
    let target = |cell: &Cell| {
        cell.params
            .get("target_entropy_per_dim")
            .map_or("-".to_owned(), Value::to_string)
    };
    plan.cells
        .iter()
        .map(|cell| {
            format!(
                "{} {} {} {}",
                cell.task,
                cell.method,
                target(cell),
                cell.seed
            )
        })
        .collect()
}

#[test]
fn cells_come_in_the_order_of_the_matrix_and_a_foreign_axis_has_one_point() {
    let expected = [
        "mini/reacher sac - 0",
        "mini/reacher sac - 1",
        "mini/reacher sac-era 0.1 0",
        "mini/reacher sac-era 0.1 1",
        "mini/reacher sac-era 0.2 0",
        "mini/reacher sac-era 0.2 1",
        "mini/point-mass sac - 0",
        "mini/point-mass sac - 1",
        "mini/point-mass sac-era 0.1 0",
        "mini/point-mass sac-era 0.1 1",
    ];
    assert_eq!(points(&plan(FILE, "smoke", &[])), expected);
}

#[test]
fn a_scale_replaces_axes_and_keeps_the_order_of_its_values() {
    let expected = [
        "gym/half-cheetah sac - 5",
        "gym/half-cheetah sac - 3",
        "gym/half-cheetah sac-era 0.5 5",
        "gym/half-cheetah sac-era 0.5 3",
    ];
    assert_eq!(points(&plan(FILE, "cpu", &[])), expected);
}

#[test]
fn the_last_of_default_params_scale_axis_and_override_holds() {
    let steps =
        |scale: &str, only: &[&str]| plan(FILE, scale, only).cells[0].params["steps"].clone();
    let sac = &["method=sac", "task=mini/reacher", "seed=0"];
    assert_eq!(steps("bare", sac), json!(1000), "params");
    assert_eq!(steps("smoke", sac), json!(2000), "the scale's params");
    assert_eq!(
        steps("smoke", &["method=sac-era", "seed=1"]),
        json!(7),
        "an override"
    );
    assert_eq!(
        steps("smoke", &["method=sac", "seed=1"]),
        json!(8),
        "the later of two overrides"
    );
    let axis = FILE.replacen("  seed: 2", "  steps: [3000]\n  seed: 2", 1);
    assert_eq!(
        plan(&axis, "smoke", sac).cells[0].params["steps"],
        json!(3000),
        "an axis"
    );
    let cell = &plan(FILE, "smoke", sac).cells[0];
    assert_eq!(cell.params["actor_lr"], json!(3e-4), "the default");
    assert_eq!(
        cell.params.len(),
        8,
        "every parameter is there: {:?}",
        cell.params
    );
}

#[test]
fn a_plan_carries_what_the_file_says_besides_cells() {
    let smoke = plan(FILE, "smoke", &[]);
    assert_eq!(
        (smoke.experiment.as_str(), smoke.suite.as_str()),
        ("experiment", "control")
    );
    assert_eq!(
        (smoke.scale.as_str(), smoke.about.as_str()),
        ("smoke", "SAC with and without ERA")
    );
    assert_eq!(smoke.report.tables, ["control-returns"]);
    assert_eq!(smoke.time_limit, Some(Duration::from_secs(3600)));
    assert_eq!(
        plan(FILE, "cpu", &[]).time_limit,
        Some(Duration::from_secs(90))
    );
    assert_eq!(smoke.missing, Missing::Fail);
    let skipping = FILE.replace("smoke: {", "smoke: {missing: skip, ");
    assert_eq!(plan(&skipping, "smoke", &[]).missing, Missing::Skip);
    assert_eq!(plan(&skipping, "cpu", &[]).missing, Missing::Fail);
    assert!(
        smoke
            .cells
            .iter()
            .all(|cell| cell.engine == "flex" && cell.revision == 1)
    );
    assert_eq!(
        accepted(FILE).scales().collect::<Vec<_>>(),
        ["smoke", "cpu", "bare"]
    );
}

#[test]
fn filters_of_one_key_add_up_and_of_several_keys_narrow() {
    let count = |only: &[&str]| plan(FILE, "smoke", only).cells.len();
    assert_eq!(count(&["method=sac"]), 4);
    assert_eq!(count(&["method=sac,sac-era"]), 10);
    assert_eq!(count(&["method=sac", "method=sac-era"]), 10);
    assert_eq!(count(&["method=sac", "seed=1"]), 2);
    assert_eq!(
        count(&["target_entropy_per_dim=2e-1"]),
        2,
        "numbers by their value"
    );
    assert_eq!(
        count(&["hidden=[256,256]", "method=sac"]),
        3,
        "a list is one value"
    );
}

#[test]
fn aliases_merges_and_the_order_of_keys_make_no_difference() {
    let same = "\
scales:
  bare: {}
  smoke: {params: {steps: 2000}}
  cpu: {time_limit: 1m 30s, target_entropy_per_dim: [5e-1], seed: [5, 3], task: [gym/half-cheetah]}
exclude: [{target_entropy_per_dim: 2.0e-1, task: &mass mini/point-mass, method: sac-era}]
matrix:
  task: [mini/reacher, *mass]
  method: [sac, sac-era]
  target_entropy_per_dim: [0.10, 0.2]
  seed: [0, 1]
overrides:
  - {params: {steps: 7.0}, match: &one {seed: 1, task: mini/reacher}}
  - {params: {hidden: [4.0], steps: 0x8}, match: {<<: *one, method: sac}}
time_limit: 60m
params: {batch_size: 32, discount: 9e-1, steps: 1_000}
about: SAC with and without ERA
report: {tables: [control-returns], figures: []}
suite: control
";
    for scale in ["smoke", "cpu", "bare"] {
        let (one, other) = (plan(FILE, scale, &[]), plan(same, scale, &[]));
        assert_eq!(one.cells, other.cells);
        let ids = |plan: &Plan| plan.cells.iter().map(Cell::id).collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&other));
    }
}

fn given(pairs: &[(&str, Value)]) -> Params {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect()
}

#[test]
fn resolved_parameters_have_one_form_for_each_value() {
    let resolve = |key: &str, value: Value| {
        let params = method::resolve::<SacParams>("mini/reacher", &given(&[(key, value)]))
            .expect("a good value");
        params[key].to_string()
    };
    assert_eq!(
        resolve("discount", json!(1)),
        "1.0",
        "an integer for a float"
    );
    assert_eq!(resolve("discount", json!(1.0)), "1.0");
    assert_eq!(resolve("actor_lr", json!(3e-4)), "0.0003");
    assert_eq!(
        resolve("actor_lr", json!(0.1)),
        "0.1",
        "the shortest text that reads back as the same float"
    );
    assert_eq!(
        resolve("steps", json!(1e5)),
        "100000",
        "a float without a fraction for an integer"
    );
    assert_eq!(resolve("steps", json!(u64::MAX)), "18446744073709551615");
    assert_eq!(resolve("hidden", json!([64.0, 32])), "[64,32]");
    assert_eq!(resolve("warm_start", json!("model")), "\"model\"");
    assert_eq!(resolve("warm_start", Value::Null), "null");
}

#[test]
fn typed_parameters_are_what_was_resolved() {
    let params =
        method::resolve::<SacParams>("mini/reacher", &given(&[("steps", json!(5))])).expect("good");
    let typed: SacParams =
        method::typed("mini/reacher", &params).expect("what was resolved reads back");
    assert_eq!(
        typed,
        SacParams {
            steps: 5,
            ..SacParams::default()
        }
    );
}

fn cell() -> Cell {
    let params = [
        ("actor_lr", json!(3e-4)),
        ("discount", json!(1.0)),
        ("hidden", json!([256, 256])),
        ("layer_norm", json!(true)),
        ("optimiser", json!("adam-w")),
        ("steps", json!(100_000)),
        ("warm_start", Value::Null),
    ];
    Cell {
        format: 1,
        suite: "control".to_owned(),
        task: "gym/half-cheetah".to_owned(),
        method: "sac-era".to_owned(),
        revision: 2,
        seed: 3,
        engine: "flex".to_owned(),
        params: given(&params),
        inputs: [("data".to_owned(), "0123abcd".to_owned())].into(),
    }
}

/// Every stored record depends on this text: a change of it makes all finished cells run again.
#[test]
fn the_identity_is_pinned() {
    let mut cell = cell();
    cell.params
        .insert("floats".to_owned(), json!([1e-7, 0.1, -2.0, 1e16, 1.5e300]));
    cell.params
        .insert("integers".to_owned(), json!([0, -1, u64::MAX]));
    let expected = concat!(
        r#"{"engine":"flex","inputs":{"data":"0123abcd"},"method":"sac-era","params":{"actor_lr":0.0003,"discount":1.0,"#,
        r#""floats":[1e-7,0.1,-2.0,1e16,1.5e300],"hidden":[256,256],"integers":[0,-1,18446744073709551615],"#,
        r#""layer_norm":true,"optimiser":"adam-w","steps":100000,"warm_start":null},"#,
        r#""revision":2,"seed":3,"suite":"control","task":"gym/half-cheetah"}"#
    );
    assert_eq!(cell.canonical(), expected);
    insta::assert_snapshot!(cell.id().0, @"gym_half-cheetah.sac-era.s3.a11d770c20");
}

#[test]
fn every_field_takes_part_in_the_identity() {
    let changes: [fn(&mut Cell); 8] = [
        |cell| cell.suite.push('x'),
        |cell| cell.task.push('x'),
        |cell| cell.method.push('x'),
        |cell| cell.revision += 1,
        |cell| cell.seed += 1,
        |cell| cell.engine.push('x'),
        |cell| drop(cell.params.remove("steps")),
        |cell| drop(cell.inputs.insert("policy".to_owned(), String::new())),
    ];
    let hash = |cell: &Cell| {
        cell.id()
            .0
            .rsplit_once('.')
            .map(|(_, hash)| hash.to_owned())
    };
    for change in changes {
        let mut other = cell();
        change(&mut other);
        assert_ne!(hash(&cell()), hash(&other), "{other:?}");
    }
}

/// A parameter's value: scalars and lists of scalars.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    prop_oneof![
        scalar.clone(),
        prop::collection::vec(scalar, 0..4).prop_map(Value::from)
    ]
}

proptest! {
    #[test]
    fn any_value_changes_the_identity(key in "[a-z_]{1,8}", one in value(), other in value()) {
        let with = |value: &Value| {
            let mut cell = cell();
            cell.params.insert(key.clone(), value.clone());
            cell
        };
        // As text: 0.0 and -0.0 are two values.
        let json = |value: &Value| serde_json::to_string(value).ok();
        let equal = json(&one) == json(&other);
        prop_assert_eq!(equal, with(&one).canonical() == with(&other).canonical());
        prop_assert_eq!(equal, with(&one).id() == with(&other).id());
    }

    #[test]
    fn a_stored_cell_has_the_identity_that_it_was_stored_with(key in "[a-z_]{1,8}", value in value()) {
        let mut cell = cell();
        cell.params.insert(key, value);
        let stored = serde_json::to_string_pretty(&cell).expect("a cell is JSON");
        let read: Cell = serde_json::from_str(&stored).expect("what was stored");
        prop_assert_eq!(read.canonical(), cell.canonical());
    }

    #[test]
    fn any_file_is_read_or_refused_without_a_panic(text in "[a-z:\\[\\]{}&*\\- \n\t0-9.,'\"#|>?!%@]{0,200}") {
        // Rendering touches every span.
        if let Err(error) = load(&text) {
            prop_assert!(!spec::rendered(&error, std::path::Path::new("/")).is_empty());
        }
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_without_a_panic(at in 0..FILE.len(), with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = FILE.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        if let Err(error) = load(&bytes) {
            prop_assert!(!spec::rendered(&error, std::path::Path::new("/")).is_empty());
        }
    }
}
