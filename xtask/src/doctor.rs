//! `cargo xtask doctor`: what is there, what is missing, and the command that brings it.

mod machine;
mod tools;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use xshell::Shell;

use crate::failure::Failure;
use crate::setup;

/// One line of the report, and a second with the remedy where something is missing.
#[derive(Debug, PartialEq)]
struct Finding {
    name: &'static str,
    state: State,
    /// What was found, or what is missing for want of it.
    about: String,
    /// The command or sentence that mends it.
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There, and good enough.
    Ok,
    /// Not there, and not needed for the suites that a fresh clone runs.
    Optional,
    /// There, and perhaps not enough of it.
    Low,
    /// Not there, and nothing works without it.
    Missing,
}

impl Finding {
    fn ok(name: &'static str, about: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            about: about.into(),
            remedy: None,
        }
    }

    fn optional(name: &'static str, about: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Optional,
            about: about.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn low(name: &'static str, about: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Low,
            about: about.into(),
            remedy: Some(remedy.into()),
        }
    }

    fn missing(name: &'static str, about: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Missing,
            about: about.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// Prints the report; exit code 5 where something required is missing.
pub(crate) fn run(sh: &Shell) -> Result<ExitCode, Failure> {
    let sections = [
        ("Toolchain", tools::toolchain(sh)),
        ("Native parts", tools::native(sh)),
        ("Data", tools::data(&setup::data_sets(), setup::smollm2())),
        ("Devices", machine::devices(sh, setup::libtorch())),
        ("Machine", machine::resources(sh)),
    ];
    std::io::stdout()
        .lock()
        .write_all(rendered(&sections).as_bytes())?;
    let missing = sections.iter().flat_map(|(_, findings)| findings);
    match missing
        .filter(|finding| finding.state == State::Missing)
        .count()
    {
        0 => Ok(ExitCode::SUCCESS),
        count => Err(Failure::new(format!(
            "failed to find {count} of the things required above"
        ))
        .outside()),
    }
}

/// Columns of state, name and what was found; fits 80 columns.
fn rendered(sections: &[(&str, Vec<Finding>)]) -> String {
    let mut text = String::new();
    for (title, findings) in sections {
        let _ = writeln!(text, "{title}");
        for Finding {
            name,
            state,
            about,
            remedy,
        } in findings
        {
            let state = match state {
                State::Ok => "ok",
                State::Optional => "absent",
                State::Low => "low",
                State::Missing => "MISSING",
            };
            let _ = writeln!(text, "  {state:<7}  {name:<9}  {about}");
            if let Some(remedy) = remedy {
                let _ = writeln!(text, "{:22}{remedy}", "");
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let toolchain = vec![
            Finding::ok("cargo", "1.95.0"),
            Finding::missing("cc", "none", "apt install gcc"),
        ];
        let native = vec![Finding::optional(
            "mujoco",
            "for gym/",
            "cargo xtask setup mujoco",
        )];
        let expected = "\
Toolchain
  ok       cargo      1.95.0
  MISSING  cc         none
                      apt install gcc

Native parts
  absent   mujoco     for gym/
                      cargo xtask setup mujoco

";
        assert_eq!(
            rendered(&[("Toolchain", toolchain), ("Native parts", native)]),
            expected
        );
    }
}
