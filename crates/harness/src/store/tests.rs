use std::fs;

use serde_json::json;

use super::*;
use crate::estimate::Estimator;
use crate::mock;
use crate::worker::{self, tests::cell, tests::options};

fn finished(store: &Store, cell: &Cell) -> PathBuf {
    let dir = store.prepare("smoke", cell).unwrap();
    worker::train(&[mock::suite()], &dir, &options()).unwrap();
    dir
}

#[test]
fn records_are_the_finished_runs_in_order() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::new(root.path());
    assert_eq!(store.records("smoke", "mock").unwrap(), []);
    let cells: Vec<Cell> = (0..3)
        .map(|seed| Cell {
            seed,
            ..cell(json!({}))
        })
        .collect();
    for cell in cells.iter().rev() {
        finished(&store, cell);
    }
    finished(&store, &cell(json!({"fail_at": 2})));
    store
        .prepare("smoke", &cell(json!({"noise": 0.5})))
        .unwrap();
    fs::write(root.path().join("smoke/mock/a note"), "not a cell").unwrap();
    let damaged = finished(&store, &cell(json!({"steps": 4})));
    fs::write(damaged.join("metrics.parquet"), "PAR1").unwrap();

    let runs = store.records("smoke", "mock").unwrap();
    assert_eq!(
        runs.iter().map(|run| run.cell.clone()).collect::<Vec<_>>(),
        cells
    );
    assert!(
        store.records("cpu", "mock").unwrap().is_empty(),
        "another scale"
    );
}

#[test]
fn discarded_cells_are_missing() {
    let root = tempfile::tempdir().unwrap();
    let (store, cell) = (Store::new(root.path()), cell(json!({})));
    assert_eq!(
        store.state("smoke", &cell, Verify::Quick).unwrap(),
        CellState::Missing
    );
    finished(&store, &cell);
    store.discard("smoke", &cell).unwrap();
    store.discard("smoke", &cell).unwrap();
    assert_eq!(
        store.state("smoke", &cell, Verify::Quick).unwrap(),
        CellState::Missing
    );
}

#[test]
fn a_root_that_is_a_file_is_said() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("artifacts");
    fs::write(&file, "").unwrap();
    let error = Store::new(&file)
        .prepare("smoke", &cell(json!({})))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("create {}", file.display())),
        "{error}"
    );
}

#[test]
fn a_folder_with_the_files_of_another_cell_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::new(root.path());
    let (one, other) = (cell(json!({})), cell(json!({"steps": 10})));
    let (from, to) = (
        finished(&store, &one),
        store.prepare("smoke", &other).unwrap(),
    );
    for name in ["run.json", "metrics.parquet", "timings.parquet"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let state = store.state("smoke", &other, Verify::Quick).unwrap();
    assert_eq!(
        state,
        CellState::Damaged(format!("run.json: it is the record of {}", one.id()))
    );
}

#[test]
fn the_nearest_record_names_what_makes_a_cell_new() {
    let root = tempfile::tempdir().unwrap();
    let (store, asked) = (Store::new(root.path()), cell(json!({"noise": 0.25})));
    assert_eq!(store.nearest("smoke", &asked).unwrap(), None);
    store
        .prepare(
            "smoke",
            &Cell {
                seed: 1,
                ..cell(json!({"noise": 0.25}))
            },
        )
        .unwrap();
    store
        .prepare(
            "smoke",
            &Cell {
                seed: 1,
                ..cell(json!({}))
            },
        )
        .unwrap();
    store.prepare("smoke", &cell(json!({}))).unwrap();
    // Two differ in one field: the parameter is nearer than the seed.
    let nearest = store.nearest("smoke", &asked).unwrap().unwrap();
    assert_eq!(nearest.id, cell(json!({})).id());
    let difference = Difference {
        field: "params.noise".into(),
        recorded: Some("0.1".into()),
        asked: Some("0.25".into()),
    };
    assert_eq!(nearest.differences, [difference]);
    store.prepare("smoke", &asked).unwrap();
    assert_eq!(
        store.nearest("smoke", &asked).unwrap().unwrap().differences,
        []
    );
}

#[test]
fn measured_times_carry_over_to_other_lengths() {
    let root = tempfile::tempdir().unwrap();
    let (store, registry) = (Store::new(root.path()), [mock::suite()]);
    let (short, long) = (
        cell(json!({"sleep_ms": 1})),
        cell(json!({"sleep_ms": 1, "steps": 90})),
    );
    let before = Estimator::new(&registry, &store, "smoke")
        .unwrap()
        .estimate(&registry, &long);
    assert!(!before.measured);
    let dir = finished(&store, &short);
    let record = RunRecord {
        wall_seconds: 3.0,
        ..read_run(&dir).unwrap().unwrap()
    };
    write_run(&dir, &record).unwrap();
    let estimator = Estimator::new(&registry, &store, "smoke").unwrap();
    let after = estimator.estimate(&registry, &long);
    assert!(
        after.measured && (after.seconds - 30.0).abs() < 1e-9,
        "{after:?}"
    );
    let other_method = Cell {
        method: "mock-sgd".into(),
        ..long
    };
    assert!(!estimator.estimate(&registry, &other_method).measured);
}
