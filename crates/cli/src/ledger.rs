//! From the file of claims to the ledger: which experiments it is about, and when it is part of a report.

use std::path::Path;

use era_harness::Suite;
use era_harness::store::Store;
use era_report::Study;
use era_report::claims::{Claims, Ledger, LedgerError, LedgerInputs};

use crate::args::{Folders, Selection};
use crate::fault::Fault;
use crate::selection::{self, Chosen};

/// Where records are looked for, and as runs of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) scale: &'a str,
    pub(crate) device: &'a [String],
    pub(crate) folders: &'a Folders,
}

impl<'a> From<&'a Selection> for Place<'a> {
    fn from(selection: &'a Selection) -> Self {
        Self {
            scale: &selection.scale,
            device: &selection.device,
            folders: &selection.folders,
        }
    }
}

/// Reads the file of claims.
pub(crate) fn read(folders: &Folders) -> Result<Claims, Fault> {
    let published = folders.baselines.join("published.yaml");
    Ok(Claims::read(&file(folders), &published)?)
}

fn file(folders: &Folders) -> std::path::PathBuf {
    folders.baselines.join("claims.yaml")
}

/// The claims that a report on the chosen experiments has to judge again: all of them, as soon as one of these experiments tests one, so
/// that the ledger in the paper's folder is never older than the tables beside it. None where there is no file of claims, and at a scale
/// at which none is tested: what the smoke scale would say means nothing.
pub(crate) fn concerned(selection: &Selection, chosen: &Chosen) -> Result<Option<Claims>, Fault> {
    if !Path::exists(&file(&selection.folders)) {
        return Ok(None);
    }
    let claims = read(&selection.folders)?;
    let mut plans = chosen.whole.iter();
    let tested = plans.any(|plan| claims.tests_with(&plan.experiment, &selection.scale));
    Ok(tested.then_some(claims))
}

/// The experiments that test claims at this scale, with all of their cells.
pub(crate) fn studies(
    claims: &Claims,
    place: Place<'_>,
    suites: &[Suite],
) -> Result<Vec<Study>, Fault> {
    let mut studies = Vec::new();
    for name in claims.experiments(place.scale) {
        let plan = selection::named(name, place, suites)?.ok_or_else(|| {
            let known = selection::known(&place.folders.experiments);
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            Fault::from(claims.unknown_experiment(name, &known))
        })?;
        studies.push(Study::from(&plan));
    }
    Ok(studies)
}

/// Judges the claims by the records.
pub(crate) fn judge(
    claims: &Claims,
    place: Place<'_>,
    suites: &[Suite],
    store: &Store,
) -> Result<Ledger, Fault> {
    let studies = studies(claims, place, suites)?;
    Ok(Ledger::new(
        claims,
        &LedgerInputs {
            scale: place.scale,
            store,
            studies: &studies,
        },
    )?)
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Claims(error) => Self::Claims(error),
            LedgerError::Report(error) => Self::Report(error),
        }
    }
}
