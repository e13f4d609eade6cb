//! What ends the driver with an error.

use std::fmt;
use std::process::ExitCode;

/// Why a subcommand failed: a message that reads after "error: ", and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    remedy: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            remedy: None,
            code: 1,
        }
    }

    /// Says that something outside is missing: exit code 5, as `era` has it (`crates/cli/src/args.rs`).
    pub(crate) fn outside(mut self) -> Self {
        self.code = 5;
        self
    }

    /// Adds what the user can do, as a sentence or a command.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What the driver ends with.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  help: {remedy}"),
            None => Ok(()),
        }
    }
}

impl From<xshell::Error> for Failure {
    fn from(error: xshell::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn the_remedy_stands_on_its_own_line() {
        let failure = Failure::new("failed to find pip").remedy("install python3-pip");
        assert_eq!(
            failure.to_string(),
            "failed to find pip\n  help: install python3-pip"
        );
    }
}
