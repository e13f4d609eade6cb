//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The folder of build output: `CARGO_TARGET_DIR` (seen from the current folder, as cargo does), or `target` in the
/// root.
pub(crate) fn target() -> PathBuf {
    target_from(
        env::var_os("CARGO_TARGET_DIR"),
        env::current_dir().ok().as_deref(),
        root(),
    )
}

fn target_from(variable: Option<OsString>, current: Option<&Path>, root: &Path) -> PathBuf {
    match variable.filter(|value| !value.is_empty()) {
        Some(value) => current.unwrap_or(root).join(value),
        None => root.join("target"),
    }
}

/// `path` as seen from the root, for messages; the whole path when it lies elsewhere.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_follows_the_variable() {
        let target = |variable: Option<&str>| {
            let (current, root) = (Path::new("/clone/crates"), Path::new("/clone"));
            target_from(variable.map(OsString::from), Some(current), root)
        };
        assert_eq!(target(None), Path::new("/clone/target"));
        assert_eq!(target(Some("")), Path::new("/clone/target"));
        assert_eq!(target(Some("out")), Path::new("/clone/crates/out"));
        assert_eq!(target(Some("/scratch/out")), Path::new("/scratch/out"));
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
        assert_eq!(shown(&root().join("target/native")), "target/native");
        assert_eq!(shown(Path::new("/elsewhere")), "/elsewhere");
    }
}
