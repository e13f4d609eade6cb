//! Finds MuJoCo for feature `mujoco`, and tells packages that depend on this one where its library lies.

use std::env;
use std::path::Path;

const LINK_DIR: &str = "MUJOCO_DYNAMIC_LINK_DIR";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_MUJOCO").is_none() {
        return;
    }
    println!("cargo::rerun-if-env-changed={LINK_DIR}");
    // Said here too, since what mujoco-rs says knows nothing of this project's commands.
    let Some(library) = env::var(LINK_DIR)
        .ok()
        .filter(|folder| Path::new(folder).is_dir())
    else {
        println!(
            "cargo::error=feature `mujoco` needs MuJoCo 3.17.0: run `cargo xtask setup mujoco`, then build through \
             `cargo xtask`, or set {LINK_DIR} to the folder `lib` of what it brought"
        );
        return;
    };
    // The folder of models lies beside that of the library.
    let models = Path::new(&library).with_file_name("models");
    println!("cargo::rustc-env=ERA_MUJOCO_MODELS={}", models.display());
    // For this package's own tests. A package that makes a binary or tests of its own reads the metadata in its build
    // script, as DEP_ERA_ENVS_LIBRARY, and does the same: rpaths do not travel from package to package.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{library}");
    println!("cargo::metadata=library={library}");
}
