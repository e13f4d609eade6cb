//! Lets tests and benchmarks of this package find MuJoCo's library: rpaths do not travel from package to package.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // From the build script of `era-envs`, where feature `mujoco` is on.
    if let Ok(library) = env::var("DEP_ERA_ENVS_LIBRARY") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{library}");
    }
}
