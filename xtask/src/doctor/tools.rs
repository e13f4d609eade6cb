//! Programs: the toolchain, and what native parts need; and data sets.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use super::Finding;
use crate::{paths, setup};

/// The oldest Rust that builds the workspace (`rust-version` in Cargo.toml).
const OLDEST_RUST: (u32, u32) = (1, 95);

pub(super) fn toolchain(sh: &Shell) -> Vec<Finding> {
    let rustup = "https://rustup.rs installs it; `rustup update` renews it";
    vec![
        rust(first_line(sh, "rustc", &["--version"])),
        match first_line(sh, "cargo", &["--version"]) {
            Some(line) => Finding::ok("cargo", version(&line)),
            None => Finding::missing("cargo", "not found", rustup),
        },
        component(sh, "clippy", "cargo-clippy"),
        component(sh, "rustfmt", "rustfmt"),
        match first_line(sh, "cc", &["--version"]) {
            Some(line) => Finding::ok("cc", line),
            None => Finding::missing(
                "cc",
                "no C compiler: mimalloc needs one",
                "apt-get install build-essential",
            ),
        },
        match first_line(sh, "git", &["--version"]) {
            Some(line) => Finding::ok("git", version(&line)),
            None => Finding::optional(
                "git",
                "records will not name their commit",
                "apt-get install git",
            ),
        },
    ]
}

pub(super) fn native(sh: &Shell) -> Vec<Finding> {
    let pip = first_line(sh, "python3", &["-m", "pip", "--version"]);
    vec![
        match setup::mujoco() {
            Some(library) => Finding::ok("mujoco", paths::shown(&library)),
            None => Finding::optional("mujoco", "tasks gym/* need it", "cargo xtask setup mujoco"),
        },
        match (first_line(sh, "python3", &["--version"]), pip) {
            (Some(python), Some(pip)) => Finding::ok(
                "python3",
                format!("{}, pip {}", version(&python), version(&pip)),
            ),
            (Some(_), None) => Finding::optional(
                "python3",
                "without pip: setup needs it",
                "apt-get install python3-pip",
            ),
            (None, _) => Finding::optional(
                "python3",
                "setup fetches with it",
                "apt-get install python3 python3-pip",
            ),
        },
        match first_line(sh, "pdflatex", &["--version"]) {
            Some(line) => Finding::ok("pdflatex", line),
            None => Finding::optional(
                "pdflatex",
                "paper --pdf needs it",
                "apt-get install texlive-latex-recommended lmodern",
            ),
        },
    ]
}

/// One line for all data sets that are there; whoever wants another one asks `setup` for it. And one for the language model.
pub(super) fn data(there: &[&str], smollm2: Option<PathBuf>) -> Vec<Finding> {
    let name = "data sets";
    vec![
        match there {
            [] => Finding::optional(
                name,
                "vision has its task shapes only",
                "cargo xtask setup fashion-mnist",
            ),
            there => Finding::ok(name, there.join(" ")),
        },
        match smollm2 {
            Some(folder) => Finding::ok("smollm2", paths::shown(&folder)),
            None => Finding::optional(
                "smollm2",
                "a trained language model",
                "cargo xtask setup smollm2",
            ),
        },
    ]
}

fn rust(line: Option<String>) -> Finding {
    let (major, minor) = OLDEST_RUST;
    let remedy = "rustup update stable";
    match line {
        None => Finding::missing("rustc", "not found", "https://rustup.rs installs it"),
        Some(line) if release(&line).is_some_and(|found| found >= OLDEST_RUST) => {
            Finding::ok("rustc", version(&line))
        }
        Some(line) => Finding::missing(
            "rustc",
            format!("{}, older than {major}.{minor}", version(&line)),
            remedy,
        ),
    }
}

/// A part of the toolchain that only the checks need.
fn component(sh: &Shell, name: &'static str, program: &str) -> Finding {
    match first_line(sh, program, &["--version"]) {
        Some(line) => Finding::ok(name, version(&line)),
        None => Finding::optional(
            name,
            "cargo xtask test needs it",
            format!("rustup component add {name}"),
        ),
    }
}

/// The first line that a program prints; `None` where it is not there or fails.
fn first_line(sh: &Shell, program: &str, args: &[&str]) -> Option<String> {
    let text = cmd!(sh, "{program} {args...}")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()?;
    text.lines().next().map(str::to_owned)
}

/// The first word of a line that starts with a digit, or the whole line.
fn version(line: &str) -> &str {
    line.split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or(line)
}

/// Major and minor number of the version in a line.
fn release(line: &str) -> Option<(u32, u32)> {
    let mut numbers = version(line).split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn versions_are_found_in_lines() {
        for (line, expected) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0"),
            ("git version 2.39.5", "2.39.5"),
            ("Python 3.11.7", "3.11.7"),
            (
                "pip 23.2.1 from /usr/lib/python3/dist-packages/pip (python 3.11)",
                "23.2.1",
            ),
            ("no number", "no number"),
        ] {
            assert_eq!(version(line), expected);
        }
        assert_eq!(release("rustc 1.95.0-nightly (x)"), Some((1, 95)));
        assert_eq!(release("rustc"), None);
    }

    #[test]
    fn an_old_compiler_is_a_fault() {
        let state = |line: &str| rust(Some(line.to_owned())).state;
        assert_eq!(state("rustc 1.95.0 (59807616e 2026-04-14)"), State::Ok);
        assert_eq!(state("rustc 2.0.0 (x)"), State::Ok);
        assert_eq!(state("rustc 1.94.1 (x)"), State::Missing);
        assert_eq!(rust(None).state, State::Missing);
    }

    #[test]
    fn data_sets_are_one_line() {
        let all = [
            "fashion-mnist",
            "cifar10",
            "cifar10-jpeg",
            "imagenet",
            "image-folder",
        ];
        let [found, model] = data(&all, Some("/data/smollm2".into())).try_into().unwrap();
        assert_eq!((found.state, model.state), (State::Ok, State::Ok));
        assert!(model.about.contains("smollm2"));
        assert!(22 + found.about.len() <= 80 && found.name.len() <= 9);
        let [found, model] = data(&[], None).try_into().unwrap();
        assert_eq!(
            (found.state, model.state),
            (State::Optional, State::Optional)
        );
    }
}
