//! Lets the tests and benchmarks of this package find LibTorch's library where the build did.

use std::env;

fn main() {
    for variable in ["LIBTORCH", "LIBTORCH_LIB"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let folder = env::var("LIBTORCH_LIB").or_else(|_| env::var("LIBTORCH"));
    if let (Some(_), Ok(folder)) = (env::var_os("CARGO_FEATURE_LIBTORCH"), folder) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
