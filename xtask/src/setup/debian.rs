//! Files out of Debian packages, through the user's own apt: it knows their mirror, proxy and keys, and holds what it
//! downloads to the digests that the distribution signed. Nothing is installed, so no root is needed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::wheel::last_line;

/// The programs that fetch and unpack. Their failures are reasons alone, which read after "failed to set up NAME: ".
#[derive(Debug)]
pub(crate) struct Debian {
    apt_get: Program,
    dpkg_deb: Program,
}

#[derive(Debug)]
struct Program {
    name: OsString,
    /// Come before all other arguments.
    lead: Vec<OsString>,
}

impl Debian {
    /// The system's `apt-get` and `dpkg-deb`, whether or not they are there.
    pub(crate) fn system() -> Self {
        let program = |name: &str| Program {
            name: name.into(),
            lead: Vec::new(),
        };
        Self {
            apt_get: program("apt-get"),
            dpkg_deb: program("dpkg-deb"),
        }
    }

    /// Whatever is asked, a piece of shell answers for `apt-get`, another for `dpkg-deb`.
    #[cfg(test)]
    pub(crate) fn fake(apt_get: &str, dpkg_deb: &str) -> Self {
        let program = |script: &str, name: &str| Program {
            name: "sh".into(),
            lead: ["-c", script, name].map(OsString::from).into(),
        };
        Self {
            apt_get: program(apt_get, "apt-get"),
            dpkg_deb: program(dpkg_deb, "dpkg-deb"),
        }
    }

    /// Downloads `package` into `folder`, where nothing else has the suffix `.deb`, and unpacks it into the new folder
    /// `to`, as if that were the root.
    pub(crate) fn unpack(&self, package: &str, folder: &Path, to: &Path) -> Result<(), String> {
        self.apt_get
            .call(folder, ["-qq", "download", package].map(OsStr::new))?;
        let files = fs::read_dir(folder).map_err(|error| error.to_string())?;
        let mut files = files.filter_map(|file| Some(file.ok()?.path()));
        let deb: PathBuf = files
            .find(|path| path.extension() == Some("deb".as_ref()))
            .ok_or_else(|| format!("{package} is not where apt-get was to put it"))?;
        self.dpkg_deb
            .call(folder, [OsStr::new("-x"), deb.as_ref(), to.as_ref()])
    }
}

impl Program {
    fn call<'a>(
        &self,
        folder: &Path,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let name = self.name.display();
        let output = Command::new(&self.name)
            .args(&self.lead)
            .args(arguments)
            .current_dir(folder)
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{name} says \"{}\"", complaint(&said)))
    }
}

/// The last error in what a program said: apt lets warnings follow.
fn complaint(said: &str) -> &str {
    let error = said.lines().rev().find_map(|line| line.strip_prefix("E: "));
    error.map_or_else(|| last_line(said), str::trim)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("era-xtask-debian-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn the_package_goes_from_apt_to_dpkg() {
        let folder = place("goes");
        let debian = Debian::fake(
            "echo $3 > $3_1_all.deb",
            "mkdir $3 && cp $2 $3/given && test $1 = -x",
        );
        let to = folder.join("tree");
        debian.unpack("thing", &folder, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("given")).unwrap(), "thing\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_lack_has_a_reason() {
        let folder = place("lack");
        let reason = |debian: &Debian| {
            let to = folder.join("tree");
            debian.unpack("thing", &folder, &to).unwrap_err()
        };
        let unknown = "echo 'E: Unable to locate package thing' >&2; echo 'W: late' >&2; exit 100";
        let said = reason(&Debian::fake(unknown, "exit 0"));
        assert!(
            said.contains("\"Unable to locate package thing\""),
            "{said}"
        );
        let said = reason(&Debian::fake("exit 0", "exit 0"));
        assert!(said.contains("thing is not where"), "{said}");
        let said = reason(&Debian::fake("touch a.deb", "echo no archive >&2; exit 2"));
        assert!(said.contains("\"no archive\""), "{said}");
        let mut none = Debian::system();
        none.apt_get.name = "era-no-such-apt".into();
        let said = reason(&none);
        assert!(said.starts_with("era-no-such-apt does not start"), "{said}");
        fs::remove_dir_all(folder).unwrap();
    }
}
