//! Several commands on one store.

use crate::support::{Folder, run_json};

const SIX: &str = "
suite: mock
about: six cells of a fifth of a second
matrix: {task: mock/quadratic, method: [mock-sgd, mock-momentum], seed: 3}
params: {steps: 100, sleep_ms: 2}
scales: {smoke: {}}
";

#[test]
fn two_drivers_share_the_work() {
    let (alone, shared) = (Folder::with(SIX), Folder::with(SIX));
    assert_eq!(alone.reproduce("").code, Some(0));
    let first = shared.start("reproduce --suite mock --jobs 2");
    let second = shared.start("reproduce --suite mock --jobs 2");
    for ended in [first.end(), second.end()] {
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert_eq!(shared.stored(), alone.stored());
    for cell in shared.cells() {
        assert_eq!(
            run_json(&cell)["attempts"],
            1,
            "{} was trained twice",
            cell.display()
        );
    }
}

#[test]
fn cells_of_several_experiments_run_once() {
    let folder = Folder::with(SIX);
    folder.write("experiments/part.yaml", &SIX.replace("seed: 3", "seed: 1"));
    let ended = folder.era("reproduce --suite mock,part --list");
    assert!(
        ended.out.contains("and 2 cells listed above"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("6 cells: 0 done; 6 to run"),
        "{}",
        ended.out
    );
    assert_eq!(folder.era("reproduce --suite part,mock").code, Some(0));
    assert!(
        folder
            .cells()
            .iter()
            .all(|cell| run_json(cell)["attempts"] == 1)
    );
    assert_eq!(folder.stored().len(), 6);
}

#[test]
fn finished_cells_are_never_run_again() {
    let folder = Folder::with(SIX);
    assert_eq!(folder.reproduce("--only method=mock-sgd").code, Some(0));
    let first = folder.stored();
    assert_eq!(first.len(), 3);
    assert_eq!(folder.reproduce("").code, Some(0));
    let ended = folder.reproduce("");
    assert!(
        ended.err.contains("6 cells: 6 done, nothing to run"),
        "{}",
        ended.err
    );
    assert!(
        folder
            .cells()
            .iter()
            .all(|cell| run_json(cell)["attempts"] == 1)
    );
    assert!(
        first
            .iter()
            .all(|(name, stored)| folder.stored()[name] == *stored)
    );
}
