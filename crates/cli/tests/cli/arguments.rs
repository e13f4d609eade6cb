//! What the command line says about itself, and what it refuses.

use crate::support::Folder;

const ONE: &str = "
suite: mock
about: one cell
matrix: {task: mock/steps, method: mock-sgd, seed: 1}
scales: {smoke: {}}
";

#[test]
fn help() {
    let folder = Folder::with(ONE);
    for command in [
        "--help",
        "reproduce --help",
        "reproduce -h",
        "report -h",
        "paper -h",
        "compare -h",
        "verify -h",
    ] {
        let ended = folder.era(command);
        assert_eq!(ended.code, Some(0));
        insta::assert_snapshot!(
            format!("help {command}").replace([' ', '-'], "_"),
            ended.out
        );
    }
}

#[test]
fn wrong_arguments_end_with_2() {
    let folder = Folder::with(ONE);
    for args in [
        "",
        "reproduse",
        "reproduce --jobs 0",
        "reproduce --budget 20",
        "reproduce --only task",
        "reproduce --list --why x",
        "paper --pdf --check",
        "compare --margin 5",
        "compare --margin 100%",
        "compare --json --markdown",
        "compare --freeze --json",
        "verify --checkpoint-every 0x",
    ] {
        let ended = folder.era(args);
        assert_eq!(ended.code, Some(2), "{args}: {}", ended.err);
    }
}

#[test]
fn names_that_nothing_has() {
    let folder = Folder::with(ONE);
    for (args, code, said) in [
        ("--suite mok", 3, "there are: mock"),
        // Only a file that is named reaches the mock suite.
        ("--suite all", 3, "there are: mock"),
        ("--suite gone.yaml", 3, "gone.yaml"),
        ("--suite mock --scale cpu", 3, "smoke"),
        ("--suite mock --only method=sgd", 3, "mock-sgd"),
        ("--suite mock --device abacus", 5, "there are: flex"),
        (
            "--suite mock --device flex,libtorch",
            5,
            "an engine is part",
        ),
    ] {
        let ended = folder.era(&format!("reproduce --list {args}"));
        assert_eq!(ended.code, Some(code), "{args}: {}", ended.err);
        assert!(ended.err.contains(said), "{args}: {}", ended.err);
    }
}

#[test]
fn a_device_that_is_not_there_is_told_before_work_starts() {
    let folder = Folder::with(ONE);
    let ended = folder.era("reproduce --suite mock --device flex:1");
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    assert!(ended.err.contains("there are 1"), "{}", ended.err);
    // Cells of another engine can be listed and reported by any build.
    let listed = folder.era("reproduce --list --suite mock --device cuda:0");
    assert_eq!(listed.code, Some(0), "{}", listed.err);
}

#[test]
fn a_path_is_an_experiment() {
    let folder = Folder::with(ONE);
    let ended = folder.era("reproduce --list --suite experiments/mock.yaml");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    folder.write("experiments/ablations/deep.yaml", ONE);
    assert_eq!(
        folder.era("reproduce --list --suite ablations/deep").code,
        Some(0)
    );
}

#[test]
fn an_experiment_that_is_named_behind_another_suite_is_taken() {
    let folder = Folder::with(ONE);
    let ended = folder.era("reproduce --list --suite control,mock");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.starts_with("mock (smoke)"), "{}", ended.out);
}

#[test]
fn completions_name_the_subcommands() {
    let folder = Folder::with(ONE);
    for shell in ["bash", "zsh", "fish"] {
        let ended = folder.era(&format!("completions {shell}"));
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains("reproduce"), "{shell}");
    }
}

#[test]
fn native_parts_that_are_there_are_not_needed() {
    let folder = Folder::with(ONE);
    let ended = folder.era("needs --suite mock");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""));
}

#[test]
fn the_experiments_of_this_repository_are_right() {
    let folder = Folder::with(ONE);
    let experiments = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments");
    for scale in ["smoke", "cpu", "paper"] {
        let ended = folder.era(&format!(
            "reproduce --list --suite all --scale {scale} --experiments {experiments}"
        ));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains("control"), "{}", ended.out);
    }
    let ended = folder.era(&format!("needs --suite all --experiments {experiments}"));
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), ""),
        "the smoke scale must run on a fresh clone"
    );
}

#[test]
fn a_native_part_that_is_missing_is_named_with_its_command() {
    let folder = Folder::with(ONE);
    folder.write(
        "experiments/real.yaml",
        "
suite: control
about: one cell on MuJoCo
matrix: {task: gym/half-cheetah, method: sac, seed: 1}
scales: {smoke: {}}
",
    );
    let needs = folder.era("needs --suite real").out;
    if cfg!(feature = "mujoco") {
        assert_eq!(needs, "");
        return;
    }
    assert_eq!(needs, "mujoco\n");
    let list = folder.era("reproduce --suite real --list").out;
    assert!(list.contains("needs mujoco"), "{list}");
    let ended = folder.era("reproduce --suite real");
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    assert!(
        ended.err.contains("cargo xtask setup mujoco"),
        "{}",
        ended.err
    );
    assert!(folder.cells().is_empty());
}
