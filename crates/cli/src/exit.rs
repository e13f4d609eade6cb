//! Exit codes. `--help` shows them ([`crate::args::EXIT_CODES`]), scripts may rely on them.

use std::process::ExitCode;

/// What the process ends with. Code 2, wrong arguments, is clap's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// A bug or an unforeseen fault.
    Fault = 1,
    /// An experiment file is wrong, or nothing in it matches.
    Experiment = 3,
    /// Some cells failed; the others are finished and recorded.
    CellsFailed = 4,
    /// Device, native part, baseline or disk: something outside is missing or damaged.
    Environment = 5,
    /// Generated files are stale.
    Stale = 6,
    /// A row is worse than its baseline, or runs that must be equal are not.
    Differs = 7,
    /// Stopped by a signal; the same command resumes.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::EXIT_CODES;

    #[test]
    fn help_lists_every_code() {
        let codes = [
            Exit::Done,
            Exit::Fault,
            Exit::Experiment,
            Exit::CellsFailed,
            Exit::Environment,
            Exit::Stale,
            Exit::Differs,
            Exit::Interrupted,
        ];
        let mut expected: Vec<u8> = codes.map(|exit| exit as u8).into();
        expected.push(2);
        expected.sort_unstable();
        let listed = EXIT_CODES
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next());
        let listed: Vec<u8> = listed.map(|code| code.unwrap().parse().unwrap()).collect();
        assert_eq!(listed, expected);
    }
}
