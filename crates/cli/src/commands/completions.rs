//! `era completions SHELL`: prints the script that completes `era`'s arguments.

use std::io::Write;

use clap_complete::Shell;

use crate::fault::Fault;

pub(crate) fn run(
    shell: Shell,
    mut command: clap::Command,
    out: &mut dyn Write,
) -> Result<(), Fault> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "era", &mut script);
    Ok(out.write_all(&script)?)
}
