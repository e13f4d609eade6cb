//! `cargo xtask setup`: brings native parts, pinned and checked. One part, one file.
//!
//! A part lies in `<target>/native/<name>-<version>`, or under `ERA_NATIVE_DIR` where that is set. It is made under
//! another name and renamed when it is whole, so what has its name is complete.

mod folder;
mod mujoco;
mod wheel;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use xshell::Shell;

use crate::failure::Failure;
use crate::paths;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to bring
    part: Part,
}

/// A native part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// MuJoCo's library and Gymnasium's models, for the tasks `gym/`
    Mujoco,
}

pub(crate) fn run(_sh: &Shell, args: &Args) -> Result<ExitCode, Failure> {
    bring(args.part)?;
    Ok(ExitCode::SUCCESS)
}

/// Sets up the part `name`; one that is there is left as it is.
pub(crate) fn part(_sh: &Shell, name: &str) -> Result<(), Failure> {
    let part = <Part as clap::ValueEnum>::from_str(name, false);
    bring(part.map_err(|_| {
        Failure::new(format!(
            "failed to set up `{name}`: no native part has this name"
        ))
    })?)
}

/// The folder with MuJoCo's library (for `MUJOCO_DYNAMIC_LINK_DIR`), when it is set up.
pub(crate) fn mujoco() -> Option<PathBuf> {
    mujoco::installed(&native()).map(|installed| installed.library)
}

fn bring(part: Part) -> Result<(), Failure> {
    match part {
        Part::Mujoco => mujoco::set_up(&native()),
    }
}

/// Where native parts lie.
fn native() -> PathBuf {
    let chosen = env::var_os("ERA_NATIVE_DIR").filter(|value| !value.is_empty());
    // Absolute, since builds run in other folders.
    let chosen = chosen.and_then(|folder| std::path::absolute(folder).ok());
    chosen.unwrap_or_else(|| paths::target().join("native"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_as_the_tasks_name_them() {
        let sh = Shell::new().unwrap();
        let failure = part(&sh, "mujocoo").unwrap_err().to_string();
        assert!(failure.contains("`mujocoo`"), "{failure}");
        assert_eq!(
            <Part as clap::ValueEnum>::from_str("mujoco", false),
            Ok(Part::Mujoco)
        );
    }
}
