//! MuJoCo 3.17.0 and the models of Gymnasium 1.4.0's tasks.
//!
//! The library is the one in the Python wheel, which needs nothing but libc. The models are not part of this project:
//! they come from Gymnasium's wheel (MIT). Both licences are put beside them.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{self, Made, failed};
use super::wheel::{Python, Wheel};
use crate::failure::Failure;
use crate::paths;

const FOLDER: &str = "mujoco-3.17.0";

/// Where the parts of an installation lie.
#[derive(Debug, PartialEq)]
pub(crate) struct Installed {
    /// The folder with `libmujoco.so`.
    pub(crate) library: PathBuf,
    /// The folder with the tasks' models.
    pub(crate) models: PathBuf,
}

/// What differs between platforms.
#[derive(Debug)]
struct Platform {
    mujoco: Wheel,
    /// The library's name, as the loader looks for it.
    library: &'static str,
    /// The library's name, as the linker looks for it.
    link: &'static str,
}

const GYMNASIUM: Wheel = Wheel {
    requirement: "gymnasium==1.4.0",
    platform: "any",
    sha256: "1cb947c59e7c72d8eabb2c2274c00cd20948e69f8452a9ef4092223be24fdf0e",
};

const LINUX_X86_64: Platform = Platform {
    mujoco: Wheel {
        requirement: "mujoco==3.17.0",
        platform: "manylinux_2_28_x86_64",
        sha256: "d66928d86a2d1b601bbaa4dc11db50214d17d5301bb8afd84721313b67ff0874",
    },
    library: "libmujoco.so.3.17.0",
    link: "libmujoco.so",
};

const LINUX_AARCH64: Platform = Platform {
    mujoco: Wheel {
        requirement: "mujoco==3.17.0",
        platform: "manylinux_2_28_aarch64",
        sha256: "91a70ed9979c383ff1f5c03f25cc2e1280a8254c1a8e558d5dd7f4184f01efc9",
    },
    ..LINUX_X86_64
};

const MACOS_AARCH64: Platform = Platform {
    mujoco: Wheel {
        requirement: "mujoco==3.17.0",
        platform: "macosx_11_0_arm64",
        sha256: "6c324addca24a24a7b0beff2ec49300e9d4481fd8ccd611514ba7ea8e4a5e870",
    },
    library: "libmujoco.3.17.0.dylib",
    link: "libmujoco.dylib",
};

/// Of this machine; none where the wheel of this version does not exist.
fn platform() -> Option<&'static Platform> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some(&LINUX_X86_64),
        ("linux", "aarch64") => Some(&LINUX_AARCH64),
        ("macos", "aarch64") => Some(&MACOS_AARCH64),
        _ => None,
    }
}

/// What is set up in `native`.
pub(crate) fn installed(native: &Path) -> Option<Installed> {
    installed_in(&native.join(FOLDER), platform()?)
}

fn installed_in(folder: &Path, platform: &Platform) -> Option<Installed> {
    let (library, models) = (folder.join("lib"), folder.join("models"));
    let whole = library.join(platform.link).is_file() && models.join("half_cheetah.xml").is_file();
    whole.then_some(Installed { library, models })
}

/// Brings it, unless it is there.
pub(crate) fn set_up(native: &Path) -> Result<(), Failure> {
    let Some(platform) = platform() else {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        return Err(Failure::new(format!(
            "failed to set up mujoco: there is no wheel of 3.17.0 for {os} on {arch}"
        ))
        .remedy("the tasks `mini/` need nothing")
        .outside());
    };
    let folder = native.join(FOLDER);
    let whole = |folder: &Path| installed_in(folder, platform).is_some();
    let made = folder::make(native, FOLDER, whole, |staging| {
        eprintln!(
            "mujoco 3.17.0: downloads 27 MB, keeps 8 MB in {}",
            paths::shown(&folder)
        );
        fill(&Python::find()?, platform, staging)
    })?;
    match made {
        Made::Now => eprintln!("mujoco 3.17.0 is set up"),
        Made::Before => eprintln!("mujoco 3.17.0 is already in {}", paths::shown(&folder)),
    }
    Ok(())
}

/// Downloads both wheels and lays out what is needed of them.
fn fill(python: &Python, platform: &Platform, folder: &Path) -> Result<(), Failure> {
    let downloads = folder.join("downloads");
    let mujoco = python.download(&platform.mujoco, &downloads.join("mujoco"))?;
    let gymnasium = python.download(&GYMNASIUM, &downloads.join("gymnasium"))?;
    let library = format!("mujoco/{}", platform.library);
    let mujoco_licences = "mujoco-3.17.0.dist-info/licenses/";
    let gymnasium_licences = "gymnasium-1.4.0.dist-info/licenses/";
    let models = "gymnasium/envs/mujoco/assets/";
    python.unpack(&mujoco, &[&library, mujoco_licences], &downloads)?;
    python.unpack(&gymnasium, &[models, gymnasium_licences], &downloads)?;
    let lay = |from: &str, to: &str| rename(&downloads.join(from), &folder.join(to));
    fs::create_dir(folder.join("lib")).map_err(failed("create", folder))?;
    fs::create_dir(folder.join("licenses")).map_err(failed("create", folder))?;
    lay(&library, &format!("lib/{}", platform.library))?;
    lay(models, "models")?;
    lay(mujoco_licences, "licenses/mujoco")?;
    lay(gymnasium_licences, "licenses/gymnasium")?;
    link(platform.library, &folder.join("lib").join(platform.link))?;
    fs::remove_dir_all(&downloads).map_err(failed("remove", &downloads))
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(failed("rename", from))
}

/// The name that the linker looks for, beside the library itself.
fn link(library: &str, at: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(library, at);
    #[cfg(not(unix))]
    let linked = fs::copy(at.with_file_name(library), at).map(drop);
    linked.map_err(failed("create", at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_installation_is_none() {
        let native = std::env::temp_dir().join(format!("era-xtask-mujoco-{}", std::process::id()));
        let _ = fs::remove_dir_all(&native);
        let folder = native.join(FOLDER);
        let found = || installed_in(&folder, &LINUX_X86_64);
        assert_eq!(found(), None);
        fs::create_dir_all(folder.join("models")).unwrap();
        fs::write(folder.join("models/half_cheetah.xml"), "<mujoco/>").unwrap();
        fs::create_dir_all(folder.join("lib")).unwrap();
        // A link to a library that is not there does not count.
        #[cfg(unix)]
        link("libmujoco.so.3.17.0", &folder.join("lib/libmujoco.so")).unwrap();
        assert_eq!(found(), None);
        fs::write(folder.join("lib/libmujoco.so.3.17.0"), "").unwrap();
        #[cfg(not(unix))]
        link("libmujoco.so.3.17.0", &folder.join("lib/libmujoco.so")).unwrap();
        let (library, models) = (folder.join("lib"), folder.join("models"));
        assert_eq!(found(), Some(Installed { library, models }));
        fs::remove_dir_all(native).unwrap();
    }

    #[test]
    fn checksums_are_sha256() {
        for wheel in [
            &GYMNASIUM,
            &LINUX_X86_64.mujoco,
            &LINUX_AARCH64.mujoco,
            &MACOS_AARCH64.mujoco,
        ] {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(
                wheel.sha256.len() == 64 && wheel.sha256.bytes().all(hex),
                "{wheel:?}"
            );
        }
    }
}
