//! The rows of all runs in one polars frame.
//!
//! Polars selects, orders and groups; sums are taken afterwards, in the order of the rows. Its own aggregations split
//! the rows among threads, and the last digits of a sum would depend on their number.

use polars::prelude::*;

use crate::error::ReportError;
use crate::records::FinishedRun;

/// Rows of several runs: columns `run`, `step`, `metric`, `index`, `value`, ordered by run, step and index.
pub(crate) struct Frame(DataFrame);

/// One metric of one run: at each step at which it was recorded, ascending, its values by index.
pub(crate) type Series = Vec<(u64, Vec<f64>)>;

impl Frame {
    pub(crate) fn new(runs: &[FinishedRun]) -> Result<Self, ReportError> {
        let rows = || runs.iter().flat_map(|run| &run.rows);
        let of_run = runs
            .iter()
            .enumerate()
            .flat_map(|(at, run)| std::iter::repeat_n(at as u32, run.rows.len()));
        let columns = vec![
            UInt32Chunked::from_iter_values("run".into(), of_run).into_column(),
            UInt64Chunked::from_iter_values("step".into(), rows().map(|row| row.step))
                .into_column(),
            StringChunked::from_iter_values("metric".into(), rows().map(|row| row.metric.as_str()))
                .into_column(),
            UInt32Chunked::from_iter_values("index".into(), rows().map(|row| row.index))
                .into_column(),
            Float64Chunked::from_iter_values("value".into(), rows().map(|row| row.value))
                .into_column(),
        ];
        let order = SortMultipleOptions::default().with_maintain_order(true);
        let frame = DataFrame::new_infer_height(columns)?.sort(["run", "step", "index"], order)?;
        Ok(Self(frame))
    }

    /// The series of `metric`, one for each of `runs` runs; empty where a run did not record it.
    pub(crate) fn series(&self, metric: &str, runs: usize) -> Result<Vec<Series>, ReportError> {
        let chosen = self
            .0
            .filter(&self.0.column("metric")?.str()?.equal(metric))?;
        let (run, step) = (chosen.column("run")?.u32()?, chosen.column("step")?.u64()?);
        let value = chosen.column("value")?.f64()?;
        let mut series = vec![Series::new(); runs];
        for group in chosen.group_by_stable(["run", "step"])?.get_groups().iter() {
            let rows: Vec<usize> = match group {
                GroupsIndicator::Idx((_, rows)) => rows.iter().map(|row| *row as usize).collect(),
                GroupsIndicator::Slice([first, length]) => {
                    (first as usize..(first + length) as usize).collect()
                }
            };
            let Some(&first) = rows.first() else { continue };
            if let (Some(run), Some(step)) = (run.get(first), step.get(first)) {
                let values = rows.iter().filter_map(|row| value.get(*row)).collect();
                series[run as usize].push((step, values));
            }
        }
        Ok(series)
    }
}
