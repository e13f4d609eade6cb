//! `era verify`: do runs repeat? A cell is trained twice from nothing and once killed in the middle and resumed; all three, and the
//! record that is stored, must be equal bit for bit.

mod differ;
mod engines;
mod pick;
mod trial;

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use era_harness::record::RunRecord;
use era_harness::stop::Stop;
use era_harness::store::{self, CellState, Store};

use crate::args::Verify;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::selection::{Chosen, Planned, choose};
use crate::{registry, text};
use differ::difference;
use trial::{Ended, Kill, Trial};

/// Digits of a hash that are shown.
const SHORT: usize = 12;

/// What one run came to, seen from the first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Equal,
    /// How, for people.
    Differs(String),
    /// It differs, as it may: made on another type of machine.
    Elsewhere(String),
    /// There is none.
    Nothing,
}

/// One line of the table.
#[derive(Debug)]
struct Line {
    cell: String,
    first: String,
    second: Seen,
    /// With what was done to it.
    interrupted: (Seen, String),
    stored: Seen,
}

/// How verifying one cell ended.
enum Verified {
    /// The lines of the cells that it requires, and its own.
    Lines(Vec<Line>),
    /// A run failed: of this cell, for this reason.
    Failed(String, String),
    Stopped,
}

pub(crate) fn run(args: &Verify, out: &mut dyn Write) -> Result<Exit, Fault> {
    if let Some(engines) = &args.engines {
        return engines::run(&engines.0, out);
    }
    let suites = registry::suites();
    let chosen = choose(&args.selection, &suites)?;
    let picked = pick::cells(&args.cell, &chosen, &suites)?;
    let stop = Stop::new();
    stop.on_signals().map_err(Fault::Signals)?;
    let (mut lines, mut failed) = (Vec::new(), Vec::new());
    for cell in picked {
        match verify(args, &chosen, cell, &stop)? {
            Verified::Lines(more) => lines.extend(more),
            Verified::Failed(cell, reason) => failed.push((cell, reason)),
            Verified::Stopped => {
                eprintln!("interrupted: nothing is left behind");
                return Ok(Exit::Interrupted);
            }
        }
    }
    table(&lines, out)?;
    for (cell, reason) in &failed {
        writeln!(out, "{cell} failed: {reason}")?;
    }
    Ok(match lines.iter().any(Line::differs) {
        true => Exit::Differs,
        false if !failed.is_empty() => Exit::CellsFailed,
        false => Exit::Done,
    })
}

/// Trains one cell three times and compares.
fn verify(args: &Verify, chosen: &Chosen, cell: usize, stop: &Stop) -> Result<Verified, Fault> {
    let scale = args.selection.scale.as_str();
    let order = pick::with_required(cell, chosen);
    let folder = tempfile::Builder::new()
        .prefix("era-verify-")
        .tempdir()
        .map_err(Fault::Temporary)?;
    let mut trials = Vec::new();
    for (name, kill) in [
        ("first", None),
        ("second", None),
        ("interrupted", Some(args.checkpoint_every)),
    ] {
        let trial = Trial::new(name, folder.path(), scale, stop);
        for &each in &order {
            let planned = &chosen.cells[each];
            let began = Instant::now();
            let ended = match kill.filter(|_| each == cell) {
                Some(every) => trial.killed(planned, every)?,
                None => trial.whole(planned)?,
            };
            match ended {
                Ended::Done(kill) => {
                    let time = text::time(began.elapsed().as_secs_f64());
                    eprintln!("{name:11}  {}  {time}", planned.name);
                    trials.push((each, name, kill));
                }
                Ended::Failed(reason) => {
                    return Ok(Verified::Failed(
                        planned.id.0.clone(),
                        format!("{reason} ({name} run)"),
                    ));
                }
                Ended::Stopped => return Ok(Verified::Stopped),
            }
        }
    }
    let kill_of = |each: usize| {
        let own = trials
            .iter()
            .find(|(cell, name, _)| (*cell, *name) == (each, "interrupted"));
        own.and_then(|(_, _, kill)| *kill)
    };
    let stored = Store::new(&args.selection.folders.artifacts);
    let lines = order.iter().map(|&each| {
        line(
            folder.path(),
            scale,
            &chosen.cells[each],
            (each == cell, kill_of(each)),
            &stored,
        )
    });
    let lines = lines.collect::<Result<Vec<Line>, Fault>>()?;
    if args.keep {
        eprintln!("kept: {}", folder.keep().display());
    }
    Ok(Verified::Lines(lines))
}

/// Holds the records of a cell against that of its first run.
fn line(
    folder: &Path,
    scale: &str,
    planned: &Planned,
    (target, kill): (bool, Option<Kill>),
    stored: &Store,
) -> Result<Line, Fault> {
    let dir = |name: &str| trial::store(folder, name).dir(scale, &planned.cell);
    let first = dir("first");
    let record = recorded(&first)?;
    let seen = |name: &str| -> Result<Seen, Fault> {
        Ok(difference(&first, &dir(name))?.map_or(Seen::Equal, Seen::Differs))
    };
    let interrupted = match (target, kill) {
        (false, _) => (seen("interrupted")?, " (whole)".to_owned()),
        (true, Some(Kill { at, resumed: true })) => {
            (seen("interrupted")?, format!(" (killed at {at})"))
        }
        (true, Some(Kill { at, resumed: false })) => {
            let how = format!("was killed with a checkpoint of step {at} and began from nothing");
            (Seen::Differs(how), String::new())
        }
        (true, None) => {
            let how =
                "ended before it could be killed: choose a longer cell with --cell".to_owned();
            (Seen::Differs(how), String::new())
        }
    };
    Ok(Line {
        cell: planned.id.0.clone(),
        first: record.metrics_hash.chars().take(SHORT).collect(),
        second: seen("second")?,
        interrupted,
        stored: against_stored(&first, &record, stored, scale, planned)?,
    })
}

/// The record of a run that has ended well.
fn recorded(dir: &Path) -> Result<RunRecord, Fault> {
    let missing = || store::StoreError::Damaged {
        path: dir.to_path_buf(),
        reason: "the run that was just made has no record".into(),
    };
    Ok(store::read_run(dir)?.ok_or_else(missing)?)
}

/// The stored record of the cell, if there is one.
fn against_stored(
    first: &Path,
    record: &RunRecord,
    stored: &Store,
    scale: &str,
    planned: &Planned,
) -> Result<Seen, Fault> {
    let CellState::Done(old) = stored.state(scale, &planned.cell, store::Verify::Full)? else {
        return Ok(Seen::Nothing);
    };
    let Some(how) = difference(first, &stored.dir(scale, &planned.cell))? else {
        return Ok(Seen::Equal);
    };
    let (here, there) = (&record.machine, &old.machine);
    if (&here.cpu, &here.os) != (&there.cpu, &there.os) {
        let (cpu, os) = (&there.cpu, &there.os);
        return Ok(Seen::Elsewhere(format!(
            "was made on another type of machine ({cpu}, {os})"
        )));
    }
    let versions = old
        .versions
        .iter()
        .filter(|(name, version)| record.versions.get(*name) != Some(version));
    let versions: String = versions
        .map(|(name, version)| format!(", {name} {version}"))
        .collect();
    Ok(Seen::Differs(format!(
        "{how} (record of commit {}{versions})",
        old.commit
    )))
}

impl Line {
    fn differs(&self) -> bool {
        let all = [&self.second, &self.interrupted.0, &self.stored];
        all.into_iter().any(|seen| matches!(seen, Seen::Differs(_)))
    }
}

impl Seen {
    fn word(&self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Differs(_) => "DIFFERS",
            Self::Elsewhere(_) => "other machine",
            Self::Nothing => "-",
        }
    }
}

/// The table, and under it how what differs does.
fn table(lines: &[Line], out: &mut dyn Write) -> Result<(), Fault> {
    let head = ["CELL", "FIRST", "SECOND", "INTERRUPTED", "RECORD"].map(str::to_owned);
    let rows = lines.iter().map(|line| {
        [
            line.cell.clone(),
            line.first.clone(),
            line.second.word().to_owned(),
            format!("{}{}", line.interrupted.0.word(), line.interrupted.1),
            line.stored.word().to_owned(),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    for line in lines {
        let runs = [
            ("the second run", &line.second),
            ("the interrupted run", &line.interrupted.0),
            ("the stored record", &line.stored),
        ];
        for (run, seen) in runs {
            if let Seen::Differs(how) | Seen::Elsewhere(how) = seen {
                writeln!(out, "{}: {run} {how}", line.cell)?;
            }
        }
    }
    Ok(())
}
