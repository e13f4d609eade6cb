//! The rows of a comparison: by task and method, and by method over all tasks.

use std::collections::BTreeMap;

use era_harness::{Cell, CellId};
use era_stats::Bootstrap;

use super::judge::{Difference, Outcome, Sides, iqm};
use super::pair::{Counterpart, each_once};
use super::set::{RecordSet, Scored};
use super::{CompareInputs, Gap, Row};
use crate::domain::{Domain, Measure};
use crate::error::ReportError;
use crate::number::decimals;
use crate::records::LeftOut;
use crate::study::Study;

/// A row before it is known how many there are to be judged.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    row: Row,
    /// The configuration of the baseline, as an index.
    pub(super) counterpart: Option<usize>,
    /// The runs, where both sides have some.
    sides: Option<Sides>,
    /// The baseline's IQM as recorded.
    from: f64,
    /// Relative to the baseline's IQM; none where all is identical or nothing is compared.
    difference: Option<Difference>,
}

impl Draft {
    /// A row about which nothing is known yet.
    fn empty(task: Option<&str>, method: &str) -> Self {
        Self {
            row: Row {
                task: task.map(str::to_owned),
                method: method.to_owned(),
                outcome: Outcome::NotCompared,
                reason: None,
                runs: (0, 0),
                now: None,
                then: None,
                decimals: 0,
                change: None,
                notes: Vec::new(),
                left_out: Vec::new(),
            },
            counterpart: None,
            sides: None,
            from: 0.0,
            difference: None,
        }
    }

    pub(super) fn is_test(&self) -> bool {
        self.difference.as_ref().is_some_and(Difference::is_test)
    }

    /// Whether one side has a score, or a run that came to nothing.
    pub(super) fn has_a_side(&self) -> bool {
        self.row.runs != (0, 0) || !self.row.left_out.is_empty()
    }

    /// The row, judged as one of `tests`.
    pub(super) fn judged(self, margin: f64, tests: usize) -> Row {
        let mut row = self.row;
        if let Some(difference) = self.difference {
            let (change, outcome) = difference.judge(margin, tests);
            (row.change, row.outcome) = (Some(change), outcome);
            if change.low.is_none() {
                row.reason = Some("too few runs to show a spread: three a side are needed".into());
            }
        }
        row
    }

    /// A row about which nothing can be said, for this reason.
    fn without(mut self, reason: String) -> Self {
        self.row.outcome = Outcome::NotCompared;
        self.row.reason = Some(reason);
        self
    }
}

/// The cells of one row, with today's runs.
struct Group<'a> {
    task: &'a str,
    label: &'a str,
    cells: Vec<&'a Cell>,
}

/// One row for each task and method of the study that has a picked cell.
pub(super) fn of_tasks(
    study: &Study,
    inputs: &CompareInputs<'_>,
    bootstrap: &Bootstrap,
) -> Result<Vec<Draft>, ReportError> {
    let labels = study.labels();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (cell, label) in study.cells.iter().zip(&labels) {
        if !inputs.picked.contains(&cell.id()) {
            continue;
        }
        let known = |group: &&mut Group<'_>| (group.task, group.label) == (&cell.task, label);
        match groups.iter_mut().find(known) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group {
                task: &cell.task,
                label,
                cells: vec![cell],
            }),
        }
    }
    let cells: Vec<Cell> = groups
        .iter()
        .flat_map(|group| group.cells.iter().map(|cell| (*cell).clone()))
        .collect();
    let (today, left_out) = RecordSet::of_cells(inputs.store, inputs.scale, &cells)?;
    let score = Domain::of(study).score();
    let mut found: Vec<Result<Counterpart<'_>, String>> = groups
        .iter()
        .map(|group| {
            inputs
                .baseline
                .set
                .counterpart(group.cells[0], score.metric)
        })
        .collect();
    each_once(&mut found);
    let context = Context {
        inputs,
        today,
        gaps: left_out.iter().map(|left| (&left.cell, left)).collect(),
        score,
        bootstrap,
    };
    let rows = groups.iter().zip(found);
    rows.map(|(group, found)| context.draft(group, found))
        .collect()
}

/// What the rows of one study share.
struct Context<'a> {
    inputs: &'a CompareInputs<'a>,
    /// Today's scores.
    today: RecordSet,
    /// Today's cells without one.
    gaps: BTreeMap<&'a CellId, &'a LeftOut>,
    score: &'a Measure,
    bootstrap: &'a Bootstrap,
}

impl Context<'_> {
    fn draft(
        &self,
        group: &Group<'_>,
        found: Result<Counterpart<'_>, String>,
    ) -> Result<Draft, ReportError> {
        let baseline = &self.inputs.baseline;
        let cells = group.cells.iter();
        let now: Vec<&Scored> = cells.filter_map(|cell| self.today.of_cell(cell)).collect();
        let mut draft = Draft::empty(Some(group.task), group.label);
        draft.row.runs.0 = now.len();
        draft.row.left_out = there(group, self.inputs).collect();
        let found = match found {
            Ok(found) => found,
            Err(reason) => return Ok(draft.without(reason)),
        };
        let mut configurations = baseline.set.configurations.iter();
        draft.counterpart = configurations.position(|each| std::ptr::eq(each, found.configuration));
        draft.row.notes = found.notes;
        let then = &found.configuration.runs;
        draft.row.runs.1 = then.len();
        // What the baseline has no run of may be missing now as well.
        let known = |cell: &&&Cell| then.iter().any(|run| run.seed == cell.seed);
        let missing = group.cells.iter().filter(known);
        let missing = missing.filter_map(|cell| self.gaps.get(&cell.id()));
        let missing = missing.map(|left| Gap::new(left, true));
        draft.row.left_out.splice(0..0, missing);
        if now.is_empty() {
            let failed = draft.row.left_out.iter().any(|gap| gap.now && gap.fault);
            let reason = if failed {
                "no run of it ended well"
            } else {
                "not run now"
            };
            return Ok(draft.without(reason.into()));
        }
        let sides = Sides::new(&now, then);
        hold(
            draft,
            sides,
            &machines(&now, then),
            self.score,
            self.bootstrap,
        )
    }
}

/// Fills in what two sides with runs say.
fn hold(
    mut draft: Draft,
    sides: Sides,
    machines: &str,
    score: &Measure,
    bootstrap: &Bootstrap,
) -> Result<Draft, ReportError> {
    let (now, then) = (iqm(&sides.now)?, iqm(&sides.baseline)?);
    let shown = [now * score.factor, then * score.factor];
    draft.row.runs = (sides.now.len(), sides.baseline.len());
    draft.row.decimals = score.decimals.unwrap_or_else(|| decimals(shown));
    (draft.row.now, draft.row.then) = (Some(shown[0]), Some(shown[1]));
    if sides.unshared > 0 {
        draft.row.notes.push(format!(
            "{} with a seed that only one side has are left out",
            if sides.unshared == 1 {
                "1 run".into()
            } else {
                format!("{} runs", sides.unshared)
            }
        ));
    }
    draft.from = then;
    if sides.identical {
        draft.row.outcome = Outcome::Identical;
        draft.sides = Some(sides);
        return Ok(draft);
    }
    if !machines.is_empty() {
        draft.row.notes.push(machines.to_owned());
    }
    if then == 0.0 {
        return Ok(draft.without("the baseline's score is 0, of which no share is a margin".into()));
    }
    if !sides.paired {
        draft
            .row
            .notes
            .push("not paired: the two have no two seeds in common".into());
    }
    let difference = Difference::new(std::slice::from_ref(&sides), bootstrap)?;
    draft.difference = Some(difference.relative_to(then));
    draft.sides = Some(sides);
    Ok(draft)
}

/// Where the runs of the two sides ran, if that differs: floating-point results may then differ without a change of code.
fn machines(now: &[&Scored], then: &[Scored]) -> String {
    let differs = now
        .iter()
        .any(|run| then.iter().any(|other| other.cpu != run.cpu));
    match (
        differs,
        now.first(),
        then.iter()
            .find(|run| now.iter().any(|other| other.cpu != run.cpu)),
    ) {
        (true, Some(now), Some(then)) => format!("ran on {} there, on {} now", then.cpu, now.cpu),
        _ => String::new(),
    }
}

/// Cells of a row that are recorded in the baseline and have no score there.
fn there<'a>(
    group: &'a Group<'_>,
    inputs: &'a CompareInputs<'_>,
) -> impl Iterator<Item = Gap> + 'a {
    let of_group = |left: &&LeftOut| group.cells.iter().any(|cell| cell.id() == left.cell);
    let left_out = inputs.baseline.left_out.iter().filter(of_group);
    left_out.map(|left| Gap::new(left, false))
}

/// One row for each method that was compared on several tasks: the change relative to the baseline's IQM on each of them.
pub(super) fn over_tasks(rows: &[Draft], bootstrap: &Bootstrap) -> Result<Vec<Draft>, ReportError> {
    let mut methods: Vec<(&str, Vec<&Draft>)> = Vec::new();
    for draft in rows
        .iter()
        .filter(|draft| draft.sides.is_some() && draft.from != 0.0)
    {
        let method = draft.row.method.as_str();
        match methods.iter_mut().find(|(name, _)| *name == method) {
            Some((_, drafts)) => drafts.push(draft),
            None => methods.push((method, vec![draft])),
        }
    }
    let several = methods.into_iter().filter(|(_, drafts)| drafts.len() > 1);
    several
        .map(|(method, drafts)| over(method, &drafts, bootstrap))
        .collect()
}

fn over(method: &str, drafts: &[&Draft], bootstrap: &Bootstrap) -> Result<Draft, ReportError> {
    let relative: Vec<Sides> = drafts
        .iter()
        .filter_map(|draft| Some(draft.sides.as_ref()?.relative_to(draft.from)))
        .collect();
    let identical = relative.iter().all(|sides| sides.identical);
    let sum = |side: fn(&Sides) -> usize| relative.iter().map(side).sum();
    let mut draft = Draft::empty(None, method);
    draft.row.runs = (
        sum(|sides| sides.now.len()),
        sum(|sides| sides.baseline.len()),
    );
    match identical {
        true => draft.row.outcome = Outcome::Identical,
        false => draft.difference = Some(Difference::new(&relative, bootstrap)?),
    }
    Ok(draft)
}
