//! Lets tests, benchmarks and examples of this package find LibTorch where the build did, for feature `tch`. Does nothing else.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_TCH").is_none() {
        return;
    }
    // As tch looks for it. A program that uses this crate says for itself where its libraries lie: rpaths do not travel.
    for variable in ["LIBTORCH_LIB", "LIBTORCH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Ok(folder) = env::var("LIBTORCH_LIB").or_else(|_| env::var("LIBTORCH")) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
