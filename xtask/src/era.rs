//! Builds the binary `era` and hands over to it.

use std::env::consts::EXE_SUFFIX;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use xshell::{Shell, cmd};

use crate::args::Selection;
use crate::failure::Failure;
use crate::{paths, setup};

/// The cargo arguments that switch on the native parts that are set up, for a build that names `package`. Also tells
/// the builds that `sh` starts where those parts are.
pub(crate) fn features(sh: &Shell, package: &str) -> Vec<String> {
    let Some(library) = setup::mujoco() else {
        return Vec::new();
    };
    sh.set_var("MUJOCO_DYNAMIC_LINK_DIR", library);
    vec!["--features".to_owned(), format!("{package}/mujoco")]
}

/// Builds `era` with every native part that is set up; returns its path.
pub(crate) fn build(sh: &Shell) -> Result<PathBuf, Failure> {
    build_with(sh, &[])
}

/// The same with these engines, or devices of them.
pub(crate) fn build_with(sh: &Shell, engines: &[String]) -> Result<PathBuf, Failure> {
    let mut features = features(sh, "era-cli");
    for feature in engine_features(engines) {
        features.extend(["--features".to_owned(), format!("era-cli/{feature}")]);
    }
    cmd!(sh, "cargo build --release --package era-cli {features...}")
        .quiet()
        .run()
        .map_err(|_| {
            Failure::new("failed to build `era`; the compiler says why above")
                .remedy("cargo xtask doctor")
        })?;
    Ok(paths::target()
        .join("release")
        .join(format!("era{EXE_SUFFIX}")))
}

/// The features of engines that are no part of every build, each once. An engine that is unknown has none: `era` says so.
fn engine_features(engines: &[String]) -> Vec<&'static str> {
    let features = engines.iter().filter_map(|device| {
        let (engine, _) = device.split_once(':').unwrap_or((device, ""));
        match engine {
            "libtorch" | "libtorch-cuda" => Some("libtorch"),
            "wgpu" => Some("wgpu"),
            "cuda" => Some("cuda"),
            _ => None,
        }
    });
    let mut features: Vec<_> = features.collect();
    features.sort_unstable();
    features.dedup();
    features
}

/// The native parts that the cells of `selection` need and the binary lacks, as `cargo xtask setup` names them. The
/// inner error is the exit code of a binary that has said what is wrong with the experiment files.
pub(crate) fn needs(
    binary: &Path,
    selection: &Selection,
) -> Result<Result<Vec<String>, ExitCode>, Failure> {
    let mut command = in_root(binary);
    let output = command
        .arg("needs")
        .args(options(selection))
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| not_started(binary, &error))?;
    if !output.status.success() {
        return Ok(Err(code(output.status)));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(Ok(names
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()))
}

/// A selection as arguments again.
fn options(selection: &Selection) -> Vec<OsString> {
    let Selection {
        suite,
        scale,
        only,
        device,
        folders,
    } = selection;
    let mut options = Vec::new();
    let mut add =
        |name: &str, value: &OsStr| options.extend([OsString::from(name), value.to_owned()]);
    suite
        .iter()
        .for_each(|suite| add("--suite", suite.as_ref()));
    add("--scale", scale.as_ref());
    only.iter().for_each(|only| add("--only", only.as_ref()));
    device
        .iter()
        .for_each(|device| add("--device", device.as_ref()));
    add("--experiments", folders.experiments.as_ref());
    add("--artifacts", folders.artifacts.as_ref());
    add("--paper", folders.paper.as_ref());
    add("--baselines", folders.baselines.as_ref());
    options
}

/// Becomes `era ARGS`: signals reach it and its exit code is the driver's. Returns only where that is not possible.
pub(crate) fn become_it(binary: &Path, args: &[OsString]) -> Result<ExitCode, Failure> {
    let mut command = in_root(binary);
    command.args(args);
    #[cfg(unix)]
    {
        let error = std::os::unix::process::CommandExt::exec(&mut command);
        Err(not_started(binary, &error))
    }
    #[cfg(not(unix))]
    {
        command
            .status()
            .map(code)
            .map_err(|error| not_started(binary, &error))
    }
}

/// `era` runs in the root whatever folder the driver was called from, as cargo's aliases do.
fn in_root(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(paths::root());
    command
}

fn not_started(binary: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("failed to start {}: {error}", paths::shown(binary)))
}

fn code(status: std::process::ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        selection: Selection,
    }

    #[test]
    fn engines_are_features() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            engine_features(&names)
        };
        assert_eq!(of(&["flex", "abacus"]), [""; 0]);
        assert_eq!(
            of(&["wgpu", "libtorch-cuda:1", "flex", "libtorch"]),
            ["libtorch", "wgpu"]
        );
    }

    #[test]
    fn a_selection_survives_the_way_through_arguments() {
        for line in [
            "",
            "--suite control,all --scale cpu --only task=gym/hopper --only seed=1,2 --artifacts /a/b \
             --baselines c",
        ] {
            let parsed =
                Line::parse_from(std::iter::once("era").chain(line.split_whitespace())).selection;
            let again = std::iter::once(OsString::from("era")).chain(options(&parsed));
            assert_eq!(Line::parse_from(again).selection, parsed);
        }
    }
}
