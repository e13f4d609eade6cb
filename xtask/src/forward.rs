//! The subcommands that `era` answers: the driver has checked the arguments, and hands them over as they were given.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use xshell::Shell;

use crate::args::{Reproduce, Verify};
use crate::era::Engine;
use crate::failure::Failure;
use crate::{era, setup};

/// `era reproduce ARGS`, with the native parts that its cells need.
pub(crate) fn reproduce(sh: &Shell, args: &Reproduce) -> Result<ExitCode, Failure> {
    let runs = !args.list && args.why.is_none();
    // Listing and explaining run no cell: any build does.
    let engines = match runs {
        true => Engine::of_devices(&args.selection.device),
        false => Vec::new(),
    };
    for engine in &engines {
        engine.set_up(sh)?;
    }
    let mut binary = era::build(sh, &engines)?;
    let given: Vec<OsString> = env::args_os().skip(1).collect();
    if runs {
        let missing = match era::needs(&binary, &args.selection)? {
            Ok(parts) => parts,
            Err(code) => return Ok(code),
        };
        for part in &missing {
            eprintln!("these cells need {part}: setting it up, as `cargo xtask setup {part}` does");
            setup::part(sh, part)?;
        }
        if !missing.is_empty() {
            binary = era::build(sh, &engines)?;
        }
    }
    era::become_it(&binary, &given)
}

/// Any other subcommand of `era`.
pub(crate) fn unchanged(sh: &Shell) -> Result<ExitCode, Failure> {
    let binary = era::build(sh, &[])?;
    era::become_it(&binary, &env::args_os().skip(1).collect::<Vec<_>>())
}

/// `era verify ARGS`, built with the engines that it compares or trains on.
pub(crate) fn verify(sh: &Shell, args: &Verify) -> Result<ExitCode, Failure> {
    let devices = match &args.engines {
        Some(engines) => &engines.0,
        None => &args.selection.device,
    };
    let engines = Engine::of_devices(devices);
    for engine in &engines {
        engine.set_up(sh)?;
    }
    let binary = era::build(sh, &engines)?;
    era::become_it(&binary, &env::args_os().skip(1).collect::<Vec<_>>())
}
