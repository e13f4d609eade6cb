//! `era verify`: what this build computes, held to itself.

mod engines;

use std::io::Write;

use crate::args::Verify;
use crate::exit::Exit;
use crate::fault::Fault;

pub(crate) fn run(args: &Verify, out: &mut dyn Write) -> Result<Exit, Fault> {
    engines::run(&args.engines.0, out)
}
