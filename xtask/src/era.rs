//! Builds the binary `era` and hands over to it.

use std::env::consts::EXE_SUFFIX;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use xshell::{Shell, cmd};

use crate::args::Selection;
use crate::failure::Failure;
use crate::{paths, setup};

/// An engine that a build has beside Flex. Each is a feature of `era-cli` of the same name, and makes a program of its own: whoever needs
/// none waits for none, and loads none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Engine {
    /// LibTorch, on the processor and on NVIDIA's cards
    Libtorch,
    /// Vulkan
    Wgpu,
    /// NVIDIA's cards
    Cuda,
}

impl Engine {
    fn feature(self) -> &'static str {
        match self {
            Self::Libtorch => "libtorch",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// The features of `era` and `era-nn` that have code of this engine.
    pub(crate) fn lint_features(self) -> Vec<String> {
        let nn = format!("era-nn/{}", self.feature());
        let features = match self {
            Self::Libtorch => vec![nn, "era/burn".to_owned(), "era/tch".to_owned()],
            Self::Wgpu | Self::Cuda => vec![nn],
        };
        vec!["--features".to_owned(), features.join(",")]
    }

    /// The engines that the values of `--device` need; `auto` takes the best of what is built in, so it needs none.
    pub(crate) fn of_devices(devices: &[String]) -> Vec<Self> {
        let mut engines: Vec<Self> = devices
            .iter()
            .filter_map(|device| match device.split(':').next()? {
                "libtorch" | "libtorch-cuda" => Some(Self::Libtorch),
                "wgpu" => Some(Self::Wgpu),
                "cuda" => Some(Self::Cuda),
                _ => None,
            })
            .collect();
        engines.sort();
        engines.dedup();
        engines
    }

    /// Brings what a build with it needs.
    pub(crate) fn set_up(self, sh: &Shell) -> Result<(), Failure> {
        match self {
            Self::Libtorch if setup::libtorch().is_none() => {
                eprintln!(
                    "this device needs libtorch: setting it up, as `cargo xtask setup libtorch` does"
                );
                setup::part(sh, "libtorch")
            }
            Self::Libtorch | Self::Wgpu | Self::Cuda => Ok(()),
        }
    }
}

/// The cargo arguments that switch on MuJoCo where it is set up, and `engines`, for a build that names `era-cli`. Also tells the builds that
/// `sh` starts where those parts are.
pub(crate) fn features(sh: &Shell, engines: &[Engine]) -> Vec<String> {
    let mut features = Vec::new();
    if let Some(library) = setup::mujoco() {
        sh.set_var("MUJOCO_DYNAMIC_LINK_DIR", library);
        features.push("era-cli/mujoco".to_owned());
    }
    if let (true, Some(folder)) = (engines.contains(&Engine::Libtorch), setup::libtorch()) {
        sh.set_var("LIBTORCH", folder);
    }
    features.extend(
        engines
            .iter()
            .map(|engine| format!("era-cli/{}", engine.feature())),
    );
    match features.as_slice() {
        [] => Vec::new(),
        features => vec!["--features".to_owned(), features.join(",")],
    }
}

/// Builds `era` with MuJoCo where it is set up, and with `engines`; returns its path.
pub(crate) fn build(sh: &Shell, engines: &[Engine]) -> Result<PathBuf, Failure> {
    let features = features(sh, engines);
    cmd!(sh, "cargo build --release --package era-cli {features...}")
        .quiet()
        .run()
        .map_err(|_| {
            Failure::new("failed to build `era`; the compiler says why above")
                .remedy("cargo xtask doctor")
        })?;
    let folder = paths::target().join("release");
    let built = folder.join(format!("era{EXE_SUFFIX}"));
    if engines.is_empty() {
        return Ok(built);
    }
    // Under a name of its own, since the next build of another kind takes this one's place, whoever may be running it.
    let names: Vec<&str> = engines.iter().map(|engine| engine.feature()).collect();
    let own = folder.join(format!("era-{}{EXE_SUFFIX}", names.join("-")));
    let _ = std::fs::remove_file(&own);
    std::fs::hard_link(&built, &own)
        .or_else(|_| std::fs::copy(&built, &own).map(drop))
        .map_err(|error| {
            Failure::new(format!("failed to write {}: {error}", paths::shown(&own)))
        })?;
    Ok(own)
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
    fn a_device_names_the_engine_that_is_built_in() {
        let engines = |devices: &[&str]| {
            Engine::of_devices(
                &devices
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(engines(&["auto", "flex"]), []);
        assert_eq!(
            engines(&["libtorch-cuda:0", "libtorch-cuda:1"]),
            [Engine::Libtorch]
        );
        assert_eq!(engines(&["wgpu"]), [Engine::Wgpu]);
    }

    #[test]
    fn a_selection_survives_the_way_through_arguments() {
        for line in [
            "",
            "--suite control,all --scale cpu --only task=gym/hopper --only seed=1,2 --device libtorch-cuda:0,libtorch-cuda:1 --artifacts /a/b \
             --baselines c",
        ] {
            let parsed =
                Line::parse_from(std::iter::once("era").chain(line.split_whitespace())).selection;
            let again = std::iter::once(OsString::from("era")).chain(options(&parsed));
            assert_eq!(Line::parse_from(again).selection, parsed);
        }
    }
}
