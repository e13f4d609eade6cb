//! A study's finished runs, laid out by task and method.

use std::collections::BTreeSet;

use era_harness::{Cell, CellId};

use crate::domain::Domain;
use crate::error::ReportError;
use crate::frame::{Frame, Series};
use crate::records::{FinishedRun, LeftOut, Records};
use crate::study::Study;

/// The finished runs of a study by task and method. Tasks without any finished run have no place; methods without one
/// have, so that a table shows the gap.
pub(crate) struct Board<'a> {
    pub(crate) study: &'a Study,
    /// Tasks with a finished run, in the order of the study.
    pub(crate) tasks: Vec<String>,
    /// Methods by label ([`Study::labels`]), in the order of the study.
    pub(crate) methods: Vec<String>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) runs: Vec<FinishedRun>,
    /// Task and method of each run.
    places: Vec<(usize, usize)>,
    /// Each cell of the study whose task has a place, as its position in the study, with its task and method.
    planned: Vec<(usize, (usize, usize))>,
    frame: Frame,
}

/// One number of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Score {
    pub(crate) seed: u64,
    pub(crate) cell: CellId,
    pub(crate) value: f64,
}

impl<'a> Board<'a> {
    pub(crate) fn new(study: &'a Study, records: Records) -> Result<Self, ReportError> {
        let labels = study.labels();
        let finished: BTreeSet<&str> = records
            .runs
            .iter()
            .map(|run| study.cells[run.cell].task.as_str())
            .collect();
        let tasks = in_order(
            study
                .cells
                .iter()
                .map(|cell| &cell.task)
                .filter(|task| finished.contains(task.as_str())),
        );
        let methods = in_order(&labels);
        let place = |cell: usize| {
            let task = tasks
                .iter()
                .position(|task| *task == study.cells[cell].task)?;
            let method = methods.iter().position(|method| *method == labels[cell])?;
            Some((task, method))
        };
        let planned = (0..study.cells.len()).filter_map(|cell| Some((cell, place(cell)?)));
        let planned = planned.collect();
        let places = records
            .runs
            .iter()
            .filter_map(|run| place(run.cell))
            .collect();
        let frame = Frame::new(&records.runs)?;
        Ok(Self {
            study,
            tasks,
            methods,
            left_out: records.left_out,
            runs: records.runs,
            places,
            planned,
            frame,
        })
    }

    /// What the study is judged by.
    pub(crate) fn domain(&self) -> Domain {
        Domain::of(self.study)
    }

    /// The cells that the study has of this task and method, finished or not.
    pub(crate) fn cells_of(&self, task: usize, method: usize) -> impl Iterator<Item = &'a Cell> {
        let of_place = self
            .planned
            .iter()
            .filter(move |(_, place)| *place == (task, method));
        of_place.map(|(cell, _)| &self.study.cells[*cell])
    }

    /// How many these are.
    pub(crate) fn planned(&self, task: usize, method: usize) -> usize {
        self.cells_of(task, method).count()
    }

    /// The series of a metric, one for each run.
    pub(crate) fn series(&self, metric: &str) -> Result<Vec<Series>, ReportError> {
        self.frame.series(metric, self.runs.len())
    }

    /// Positions of the runs of a task and method, in the order of the study.
    pub(crate) fn runs_of(&self, task: usize, method: usize) -> impl Iterator<Item = usize> + '_ {
        let place = (task, method);
        (0..self.runs.len()).filter(move |run| self.places[*run] == place)
    }

    /// What `pick` makes of the series of each run of a task and method; runs of which it makes nothing are left out.
    pub(crate) fn scores(
        &self,
        series: &[Series],
        (task, method): (usize, usize),
        pick: impl Fn(&Series) -> Option<f64>,
    ) -> Vec<Score> {
        let score = |run: usize| {
            let FinishedRun { seed, id, .. } = &self.runs[run];
            Some(Score {
                seed: *seed,
                cell: id.clone(),
                value: pick(&series[run])?,
            })
        };
        self.runs_of(task, method).filter_map(score).collect()
    }
}

/// The mean of the values of the last step.
pub(crate) fn last(series: &Series) -> Option<f64> {
    series.last().map(|(_, values)| mean(values))
}

/// The mean of the values of the first step.
pub(crate) fn first(series: &Series) -> Option<f64> {
    series.first().map(|(_, values)| mean(values))
}

/// The mean of the values of step 0, before anything is learned; `None` where nothing was recorded there.
pub(crate) fn at_start(series: &Series) -> Option<f64> {
    let start = series.first().filter(|(step, _)| *step == 0)?;
    Some(mean(&start.1))
}

/// The mean of values that are not empty.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The distinct names in the order in which they first come.
fn in_order<'n>(names: impl IntoIterator<Item = &'n String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(name.as_str()))
        .cloned()
        .collect()
}
