//! Tells the program what it was built from, for the record of every run: commit, compiler, versions of what computes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages whose version goes into every record, where the lock file has them; `tch`, where it is built in.
const RECORDED: [&str; 3] = ["burn", "mujoco-rs", "tch"];

/// Where feature `mujoco` finds its library, as `crates/envs/build.rs` says.
const MUJOCO: &str = "MUJOCO_DYNAMIC_LINK_DIR";

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    println!("cargo:rustc-env=ERA_COMMIT={}", commit(&root));
    println!("cargo:rustc-env=ERA_RUSTC={}", rustc());
    println!(
        "cargo:rustc-env=ERA_VERSIONS={}",
        versions(&root.join("Cargo.lock"))
    );
    mujoco();
    libtorch();
}

/// Lets the program find MuJoCo's library where the build did: the rpath of `era-envs` stays in its own package.
fn mujoco() {
    println!("cargo:rerun-if-env-changed={MUJOCO}");
    if let (Some(_), Ok(library)) = (env::var_os("CARGO_FEATURE_MUJOCO"), env::var(MUJOCO)) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{library}");
    }
}

/// The same for LibTorch's.
fn libtorch() {
    for variable in ["LIBTORCH", "LIBTORCH_LIB"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let folder = env::var("LIBTORCH_LIB").or_else(|_| env::var("LIBTORCH"));
    if let (Some(_), Ok(folder)) = (env::var_os("CARGO_FEATURE_LIBTORCH"), folder) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}

/// The commit, with `-dirty` when what the program is built from differs from it; `unknown` outside git.
fn commit(root: &Path) -> String {
    // The state of the tree is a matter of every source file, so a change in any of them asks again.
    for source in ["crates", "Cargo.toml", "Cargo.lock"] {
        watch(&root.join(source));
    }
    let Some(commit) = git(root, &["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // What changes when HEAD moves: itself, the branch it names (a file, or a line of packed-refs), and its log.
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref());
    for name in names {
        if let Some(path) = git(root, &["rev-parse", "--git-path", name]) {
            watch(&root.join(path));
        }
    }
    let sources = [
        "status",
        "--porcelain",
        "--",
        "crates",
        "Cargo.toml",
        "Cargo.lock",
    ];
    match git(root, &sources) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit}-dirty"),
    }
}

/// What `git` prints, or none when it is not there or fails.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// For example `1.95.0`.
fn rustc() -> String {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let version = text
        .as_deref()
        .and_then(|text| text.split_whitespace().nth(1));
    version.unwrap_or("unknown").to_owned()
}

/// `burn=0.22.1 mujoco-rs=7.0.0`: the recorded packages in the lock file.
fn versions(lock: &Path) -> String {
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    let mut found = Vec::new();
    for package in text.split("[[package]]") {
        let field = |name: &str| {
            let start = format!("{name} = \"");
            package
                .lines()
                .find_map(|line| line.strip_prefix(&start)?.strip_suffix('"'))
        };
        if let (Some(name), Some(version)) = (field("name"), field("version"))
            && RECORDED.contains(&name)
            && (name != "tch" || env::var_os("CARGO_FEATURE_LIBTORCH").is_some())
        {
            found.push(format!("{name}={version}"));
        }
    }
    found.join(" ")
}

/// Runs this again when `path` changes. One that is not there is left out, since cargo would run it every time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}
