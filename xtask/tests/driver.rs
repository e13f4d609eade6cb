//! The driver from outside, with a `cargo` that builds nothing: it notes how it was called and puts a script in the
//! place of `era`, which notes the same.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first fault")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Folders of one test, with the fake programs in `bin`.
struct Place {
    folder: PathBuf,
}

impl Place {
    /// `needs` is the body of `era needs`: a piece of shell.
    fn new(name: &str, needs: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("bin")).unwrap();
        let place = Self { folder };
        let log = place.log().display().to_string();
        let era = format!(
            "#!/bin/sh\necho \"era $*\" >> '{log}'\ncase $1 in\n  needs) {needs} ;;\n  *) exit 4 ;;\nesac\n"
        );
        place.script("era", &era);
        let built = place.folder.join("target/release");
        let cargo = format!(
            "#!/bin/sh\necho \"cargo $*\" >> '{log}'\n/bin/mkdir -p '{0}' && /bin/cp '{1}' '{0}/era'\n",
            built.display(),
            place.folder.join("bin/era").display(),
        );
        place.script("cargo", &cargo);
        place
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.folder.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Runs the driver with the fake programs and no others.
    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .env("PATH", self.folder.join("bin"))
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env_remove("ERA_NATIVE_DIR")
            .env_remove("LIBTORCH")
            .env("ERA_DATA_DIR", self.folder.join("data"))
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// Every call of a fake program, one a line.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

const BUILD: &str = "cargo build --release --package era-cli";

#[test]
fn engines_that_are_compared_are_built_in() {
    let place = Place::new("engines", "true");
    let libtorch = place.folder.join("target/native/libtorch-2.9.0");
    for file in [
        "lib/libtorch_cpu.so",
        "include/torch/csrc/api/include/torch/torch.h",
    ] {
        let file = libtorch.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    place.run(&["verify", "--engines", "flex,libtorch-cuda:1"]);
    let build = format!("{BUILD} --features era-cli/libtorch");
    let era = "era verify --engines flex,libtorch-cuda:1".to_owned();
    assert_eq!(place.calls(), [build, era]);
}

#[test]
fn arguments_and_exit_code_pass_unchanged() {
    let place = Place::new("unchanged", "true");
    let output = place.run(&[
        "reproduce",
        "--jobs",
        "2",
        "--suite=control",
        "--only",
        "task=gym/hopper",
    ]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let calls = place.calls();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert_eq!(calls[0], BUILD);
    assert!(
        calls[1].starts_with("era needs --suite control --scale smoke --only task=gym/hopper"),
        "{}",
        calls[1]
    );
    assert_eq!(
        calls[2],
        "era reproduce --jobs 2 --suite=control --only task=gym/hopper"
    );
}

#[test]
fn a_wrong_argument_is_told_before_anything_is_built() {
    let place = Place::new("wrong", "true");
    for args in [
        &["reproduce", "--job", "2"][..],
        &["reproduce", "--only", "hopper"],
        &["paper", "--pdf", "--check"],
    ] {
        let output = place.run(args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert!(place.run(&["reproduce", "--help"]).status.success());
    assert_eq!(place.calls(), Vec::<String>::new());
}

#[test]
fn listing_asks_for_no_native_part() {
    let place = Place::new("listing", "echo mujoco");
    assert_eq!(place.run(&["reproduce", "--list"]).status.code(), Some(4));
    assert_eq!(
        place.run(&["reproduce", "--why", "x"]).status.code(),
        Some(4)
    );
    assert_eq!(
        place.calls(),
        [
            BUILD,
            "era reproduce --list",
            BUILD,
            "era reproduce --why x"
        ]
    );
}

#[test]
fn reports_and_papers_go_straight_to_the_binary() {
    let place = Place::new("reports", "true");
    place.run(&["paper", "--check", "--scale", "cpu"]);
    place.run(&["report"]);
    assert_eq!(
        place.calls(),
        [BUILD, "era paper --check --scale cpu", BUILD, "era report"]
    );
}

#[test]
fn the_faults_of_experiment_files_keep_their_exit_code() {
    let place = Place::new("faults", "exit 3");
    assert_eq!(place.run(&["reproduce"]).status.code(), Some(3));
    assert_eq!(
        place.calls().len(),
        2,
        "nothing is run after `era needs` failed"
    );
}

#[test]
fn a_part_that_cannot_be_set_up_is_an_error_with_a_remedy() {
    // No python3 in the path.
    let place = Place::new("no-python", "echo mujoco");
    let output = place.run(&["reproduce"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("mujoco") && said.contains("help: "), "{said}");
    assert_eq!(place.calls().len(), 2, "nothing is run without the part");
}

#[test]
fn a_data_set_is_told_to_be_there_or_where_to_put_it() {
    let place = Place::new("data", "echo cifar10-jpeg");
    let output = place.run(&["reproduce"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let folder = place.folder.join("data/cifar10-jpeg");
    // The folder is printed relative to the project where it lies in it.
    assert!(
        said.contains("data/data/cifar10-jpeg/train/CLASS/*.jpg"),
        "{said}"
    );
    for class in ["train/cat", "test/cat"] {
        fs::create_dir_all(folder.join(class)).unwrap();
    }
    let output = place.run(&["setup", "cifar10-jpeg"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cifar10-jpeg is already in"));
    let said = place.run(&["doctor"]).stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said
        .lines()
        .find(|line| line.contains("data sets"))
        .unwrap();
    assert!(
        line.starts_with("  ok ") && line.ends_with("cifar10-jpeg"),
        "{said}"
    );
}

#[test]
fn a_build_that_fails_points_at_the_doctor() {
    let place = Place::new("no-build", "true");
    place.script("cargo", "#!/bin/sh\nexit 101\n");
    let output = place.run(&["reproduce"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cargo xtask doctor"));
}

#[test]
fn the_doctor_names_what_is_missing() {
    let place = Place::new("doctor", "true");
    place.script("rustc", "#!/bin/sh\necho rustc 1.80.0\n");
    let output = place.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("MISSING  rustc      1.80.0, older than 1.95"),
        "{said}"
    );
    assert!(said.contains("MISSING  cc"), "{said}");
    assert!(said.contains("absent   mujoco"), "{said}");
    assert!(
        said.lines()
            .all(|line| line.chars().count() <= 80 || line.contains(" free at ")),
        "{said}"
    );
}

#[test]
fn checks_stop_at_the_first_that_fails_and_say_which() {
    let place = Place::new("checks", "true");
    let log = place.log().display().to_string();
    place.script(
        "cargo",
        &format!("#!/bin/sh\necho \"cargo $*\" >> '{log}'\n[ \"$1\" != clippy ]\n"),
    );
    let output = place.run(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    let calls = place.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("help: {}", calls[1])));
}
