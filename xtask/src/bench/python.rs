//! The virtual environment with the other libraries, and the scripts that run in it.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Cmd, Shell, cmd};

use crate::failure::Failure;
use crate::paths;

/// The scripts and their requirements.
pub(super) fn folder() -> PathBuf {
    paths::root().join("baselines").join("peers")
}

/// The Python of the virtual environment.
#[derive(Debug)]
pub(super) struct Python {
    program: PathBuf,
}

impl Python {
    /// Makes the environment in `<target>/peers`, or takes the one that is there when it has the pinned requirements.
    pub(super) fn with_peers(sh: &Shell) -> Result<Self, Failure> {
        let requirements = folder().join("requirements.txt");
        let pinned = fs::read_to_string(&requirements)
            .map_err(|error| failed("read", &requirements, &error))?;
        let venv = paths::target().join("peers").join("venv");
        let program = program(&venv);
        // Written last: an environment that has it is whole.
        let stamp = venv.join("requirements.txt");
        if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == pinned) {
            return Ok(Self { program });
        }
        has_venv(sh)?;
        sh.remove_path(&venv)?;
        eprintln!(
            "making {} with the other libraries: 7 GB, some minutes, once",
            paths::shown(&venv)
        );
        let python = cmd!(sh, "python3 -m venv {venv}");
        output(python).map_err(|said| {
            Failure::new(format!("failed to make a virtual environment: {said}"))
                .remedy("the package python3-venv (Debian, Ubuntu: apt install python3-venv)")
                .outside()
        })?;
        let pip = cmd!(
            sh,
            "{program} -m pip install --quiet --no-deps --requirement {requirements}"
        );
        output(pip.env("PIP_DISABLE_PIP_VERSION_CHECK", "1")).map_err(|said| {
            let list = paths::shown(&requirements);
            Failure::new(format!("failed to install {list}: {said}"))
                .remedy("the versions are those of Python 3.11 on Linux, x86-64; check the connection and the disk")
                .outside()
        })?;
        fs::write(&stamp, pinned).map_err(|error| failed("write", &stamp, &error))?;
        Ok(Self { program })
    }

    /// What the script `name` prints on its standard output.
    pub(super) fn script(&self, sh: &Shell, name: &str, args: &[&str]) -> Result<String, Failure> {
        let Self { program } = self;
        let path = folder().join(name);
        eprintln!("  {name} {}", args.join(" "));
        output(cmd!(sh, "{program} {path} {args...}")).map_err(|said| {
            let (path, args) = (paths::shown(&path), args.join(" "));
            Failure::new(format!("failed to run {path} {args}: {said}"))
        })
    }
}

/// Says what is missing before anything is made.
fn has_venv(sh: &Shell) -> Result<(), Failure> {
    let install = "install Python 3.11 (Debian, Ubuntu: apt install python3 python3-venv)";
    output(cmd!(sh, "python3 --version")).map_err(|said| {
        Failure::new(format!("failed to find Python: {said}"))
            .remedy(install)
            .outside()
    })?;
    // `venv` alone is there on Debian without the part that brings pip.
    output(cmd!(sh, "python3 -c 'import venv, ensurepip'")).map_err(|said| {
        Failure::new(format!(
            "failed to find Python's virtual environments: {said}"
        ))
        .remedy(install)
        .outside()
    })?;
    Ok(())
}

fn program(venv: &Path) -> PathBuf {
    if cfg!(windows) {
        venv.join("Scripts").join("python.exe")
    } else {
        venv.join("bin").join("python")
    }
}

/// The standard output of a command, or the last line of what it said against its failing. Its other words are kept
/// back: MuJoCo and JAX say much that is no fault.
fn output(command: Cmd<'_>) -> Result<String, String> {
    let output = command.quiet().ignore_status().output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty() && !line.starts_with("WARNING"));
    Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("failed to {what} {}: {error}", paths::shown(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_pinned() {
        let text = fs::read_to_string(folder().join("requirements.txt")).unwrap();
        let packages: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(packages.iter().all(|line| line.contains("==")), "{text}");
        for name in [
            "torch==",
            "stable_baselines3==",
            "sbx-rl==",
            "cleanrl==",
            "transformers==",
            "trl==",
        ] {
            assert!(
                packages.iter().any(|line| line.starts_with(name)),
                "no {name}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_failing_command_says_its_last_line() {
        let sh = Shell::new().unwrap();
        let script =
            "echo out; echo first >&2; echo last >&2; echo 'WARNING: no fault' >&2; exit 3";
        assert_eq!(output(cmd!(sh, "sh -c {script}")), Err("last".to_owned()));
        assert_eq!(output(cmd!(sh, "echo out")), Ok("out".to_owned()));
        let silent = output(cmd!(sh, "sh -c 'exit 3'")).unwrap_err();
        assert!(silent.contains('3'), "{silent}");
        assert!(output(cmd!(sh, "no-such-program-of-ours")).is_err());
    }
}
