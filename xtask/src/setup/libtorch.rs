//! LibTorch 2.9.0: the engine `libtorch`, and `era::tch`.
//!
//! One version of the crate `tch` fits exactly one LibTorch. A PyTorch of that version which `python3` imports is used where there is one,
//! with its CUDA; else the libraries for the processor come out of PyTorch's wheel.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::folder::{self, Made, failed};
use super::wheel::{Python, Wheel};
use crate::failure::Failure;
use crate::paths;

const VERSION: &str = "2.9.0";
const FOLDER: &str = "libtorch-2.9.0";
/// What every installation has: the processor's kernels, and the header that bindings are compiled with.
const LIBRARY: &str = "lib/libtorch_cpu.so";
const HEADER: &str = "include/torch/csrc/api/include/torch/torch.h";

const TORCH: Wheel = Wheel {
    requirement: "torch==2.9.0",
    platform: "manylinux_2_28_x86_64",
    sha256: "51de31219c97c51cf4bf2be94d622e3deb5dcc526c6dc00e97c17eaec0fc1d67",
};

/// The wheel's processor library links these, though nothing of them runs without a graphics card.
const CUDA_PARTS: [(Wheel, &str); 2] = [
    (
        Wheel {
            requirement: "nvidia-cuda-runtime-cu12==12.8.90",
            platform: "manylinux2014_x86_64",
            sha256: "adade8dcbd0edf427b7204d480d6066d33902cab2a4707dcfc48a2d0fd44ab90",
        },
        "nvidia/cuda_runtime/lib/libcudart.so.12",
    ),
    (
        Wheel {
            requirement: "nvidia-cuda-cupti-cu12==12.8.90",
            platform: "manylinux2014_x86_64",
            sha256: "ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182",
        },
        "nvidia/cuda_cupti/lib/libcupti.so.12",
    ),
];

/// The wheel's libraries without CUDA and Python; what matters more is in [`fill`].
const LIBRARIES: [&str; 5] = [
    "libc10.so",
    "libgomp.so.1",
    "libshm.so",
    "libtorch_cpu.so",
    "libtorch_global_deps.so",
];

/// The folder for the variable `LIBTORCH`, when there is one: the user's own, or what was set up in `native`.
pub(crate) fn installed(native: &Path) -> Option<PathBuf> {
    let own = env::var_os("LIBTORCH").filter(|value| !value.is_empty());
    let folder = own.map_or_else(|| native.join(FOLDER), PathBuf::from);
    whole(&folder).then_some(folder)
}

fn whole(folder: &Path) -> bool {
    folder.join(LIBRARY).is_file() && folder.join(HEADER).is_file()
}

/// Brings it, unless it is there.
pub(crate) fn set_up(native: &Path) -> Result<(), Failure> {
    let folder = native.join(FOLDER);
    let made = folder::make(native, FOLDER, whole, |staging| {
        if let Some(torch) = pytorch() {
            let shown = paths::shown(&torch);
            eprintln!("libtorch {VERSION}: uses the PyTorch in {shown}");
            return borrow(&torch, staging);
        }
        if (env::consts::OS, env::consts::ARCH) != ("linux", "x86_64") {
            return Err(Failure::new(format!(
                "failed to set up libtorch: its wheel is taken apart for Linux on x86_64 only, not for {} on {}",
                env::consts::OS,
                env::consts::ARCH
            ))
            .remedy("pip install torch==2.9.0, and again: an installed PyTorch is used as it is")
            .outside());
        }
        eprintln!(
            "libtorch {VERSION}: downloads 911 MB, keeps 510 MB in {}",
            paths::shown(&folder)
        );
        fill(&Python::find()?, staging)
    })?;
    match made {
        Made::Now => eprintln!("libtorch {VERSION} is set up"),
        Made::Before => eprintln!("libtorch {VERSION} is already in {}", paths::shown(&folder)),
    }
    Ok(())
}

/// The package folder of a PyTorch of this version that `python3` imports.
fn pytorch() -> Option<PathBuf> {
    const SCRIPT: &str = "import os, torch
print(torch.__version__.split('+')[0])
print(os.path.dirname(torch.__file__))";
    let output = Command::new("python3").args(["-c", SCRIPT]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    of_this_version(&text).filter(|folder| whole(folder))
}

/// The second line, where the first is the version.
fn of_this_version(text: &str) -> Option<PathBuf> {
    let (version, folder) = text.trim_end().split_once('\n')?;
    (version == VERSION).then(|| PathBuf::from(folder))
}

/// Links to an installation: its libraries find one another, and CUDA's, from where they are.
fn borrow(torch: &Path, folder: &Path) -> Result<(), Failure> {
    for part in ["lib", "include"] {
        link(&torch.join(part), &folder.join(part))?;
    }
    Ok(())
}

/// Downloads the wheels and lays out what is needed of them.
fn fill(python: &Python, folder: &Path) -> Result<(), Failure> {
    let downloads = folder.join("downloads");
    let torch = python.download(&TORCH, &downloads.join("torch-wheel"))?;
    let libraries: Vec<String> = LIBRARIES
        .iter()
        .map(|name| format!("torch/lib/{name}"))
        .collect();
    let licences = "torch-2.9.0.dist-info/licenses/";
    let mut wanted: Vec<&str> = libraries.iter().map(String::as_str).collect();
    wanted.extend(["torch/include/", licences]);
    python.unpack(&torch, &wanted, &downloads)?;
    rename(&downloads.join("torch/include"), &folder.join("include"))?;
    rename(&downloads.join("torch/lib"), &folder.join("lib"))?;
    rename(&downloads.join(licences), &folder.join("licenses"))?;
    for (wheel, library) in &CUDA_PARTS {
        let file = python.download(wheel, &downloads.join(wheel.requirement))?;
        python.unpack(&file, &[library], &downloads)?;
        let name = Path::new(library).file_name().unwrap_or_default();
        rename(&downloads.join(library), &folder.join("lib").join(name))?;
    }
    // Bindings link `torch` by name. The wheel's library of that name wants CUDA's and has nothing in it.
    link(
        Path::new("libtorch_cpu.so"),
        &folder.join("lib/libtorch.so"),
    )?;
    fs::remove_dir_all(&downloads).map_err(failed("remove", &downloads))
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(failed("rename", from))
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> Result<(), Failure> {
    std::os::unix::fs::symlink(to, at).map_err(failed("create", at))
}

#[cfg(not(unix))]
fn link(_to: &Path, at: &Path) -> Result<(), Failure> {
    Err(Failure::new(format!(
        "failed to create {}: there are no links here",
        paths::shown(at)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_version_of_pytorch_is_used() {
        let found = |text| of_this_version(text);
        assert_eq!(found("2.9.0\n/site/torch\n"), Some("/site/torch".into()));
        assert_eq!(found("2.15.0\n/site/torch\n"), None);
        assert_eq!(found(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn an_installed_pytorch_is_linked_to() {
        let place = env::temp_dir().join(format!("era-xtask-libtorch-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        let torch = place.join("site/torch");
        for file in [LIBRARY, HEADER] {
            let file = torch.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let folder = place.join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        assert!(!whole(&folder));
        borrow(&torch, &folder).unwrap();
        assert!(whole(&folder));
        fs::remove_dir_all(place).unwrap();
    }

    #[test]
    fn checksums_are_sha256() {
        let parts = CUDA_PARTS.iter().map(|(wheel, _)| wheel);
        for wheel in std::iter::once(&TORCH).chain(parts) {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(
                wheel.sha256.len() == 64 && wheel.sha256.bytes().all(hex),
                "{wheel:?}"
            );
        }
    }
}
