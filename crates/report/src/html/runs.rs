//! What was run, when and where: over all cells of the page.

use std::collections::{BTreeMap, BTreeSet};

use era_harness::record::RunRecord;
use serde::Serialize;

use super::cells::{Cells, Known, Standing};
use super::text;

/// The head of the page.
#[derive(Serialize)]
pub(super) struct Overview {
    pub(super) cells: Counts,
    pub(super) cpu_time: String,
    /// Days of the runs; `None` without one.
    pub(super) days: Option<String>,
    pub(super) commits: Vec<Commit>,
    pub(super) places: Vec<Place>,
}

/// How many cells stand how.
#[derive(Default, Serialize)]
pub(super) struct Counts {
    pub(super) all: usize,
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) missing: usize,
}

/// A commit of the program and the number of runs that it made.
#[derive(Serialize)]
pub(super) struct Commit {
    name: String,
    runs: usize,
}

/// A machine with an engine and versions, and what was run there.
#[derive(Serialize)]
pub(super) struct Place {
    machine: String,
    engine: String,
    versions: String,
    runs: usize,
    cpu_time: String,
    /// Wall-clock time of the longest run, and most memory that one took.
    longest: String,
    memory: String,
    days: Option<String>,
    commits: usize,
}

impl Counts {
    pub(super) fn of<'k>(cells: impl Iterator<Item = &'k Known>) -> Self {
        let mut counts = Self::default();
        for cell in cells {
            counts.all += 1;
            match cell.line.standing {
                Standing::Done => counts.done += 1,
                Standing::Failed => counts.failed += 1,
                Standing::Missing => counts.missing += 1,
            }
        }
        counts
    }
}

pub(super) fn overview(cells: &Cells) -> Overview {
    let all = || cells.all().iter();
    let records = || all().filter_map(|cell| cell.record.as_ref());
    Overview {
        cells: Counts::of(all()),
        cpu_time: text::time(records().map(|record| record.cpu_seconds).sum()),
        days: days(records()),
        commits: commits(records()),
        places: places(all()),
    }
}

/// The days from the first start to the last end.
pub(super) fn days<'r>(records: impl Iterator<Item = &'r RunRecord> + Clone) -> Option<String> {
    text::days(records.flat_map(|record| [record.started.as_str(), record.updated.as_str()]))
}

/// In the order of their names: records do not say which came first.
fn commits<'r>(records: impl Iterator<Item = &'r RunRecord>) -> Vec<Commit> {
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *runs.entry(&record.commit).or_default() += 1;
    }
    let commits = runs.into_iter();
    let commits = commits.map(|(name, runs)| Commit {
        name: name.to_owned(),
        runs,
    });
    commits.collect()
}

fn places<'k>(cells: impl Iterator<Item = &'k Known>) -> Vec<Place> {
    let mut groups: BTreeMap<[String; 3], Vec<&RunRecord>> = BTreeMap::new();
    for cell in cells {
        let Some(record) = &cell.record else { continue };
        let place = [machine(record), cell.engine.clone(), versions(record)];
        groups.entry(place).or_default().push(record);
    }
    let places = groups.into_iter();
    let places = places.map(|([machine, engine, versions], records)| {
        let seconds = |pick: fn(&RunRecord) -> f64| records.iter().map(move |record| pick(record));
        let commits: BTreeSet<&str> = records
            .iter()
            .map(|record| record.commit.as_str())
            .collect();
        Place {
            machine,
            engine,
            versions,
            runs: records.len(),
            cpu_time: text::time(seconds(|record| record.cpu_seconds).sum()),
            longest: text::time(seconds(|record| record.wall_seconds).fold(0.0, f64::max)),
            memory: text::bytes(
                records
                    .iter()
                    .map(|record| record.peak_memory)
                    .max()
                    .unwrap_or(0),
            ),
            days: days(records.iter().copied()),
            commits: commits.len(),
        }
    });
    places.collect()
}

fn machine(record: &RunRecord) -> String {
    let machine = &record.machine;
    format!(
        "{}, {}, {}, {}",
        machine.cpu,
        text::count(machine.cores as usize, "core"),
        text::bytes(machine.memory),
        machine.os
    )
}

fn versions(record: &RunRecord) -> String {
    let versions = record.versions.iter();
    let versions: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    versions.join(", ")
}
