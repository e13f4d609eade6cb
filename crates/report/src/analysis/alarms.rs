//! Alarms that runs gave while they trained.

use era_harness::CellId;

use crate::board::Board;
use crate::domain::Alarm;
use crate::error::ReportError;

/// One task: the methods whose runs recorded the alarm, given or not.
pub(crate) struct TaskAlarms {
    pub(crate) task: String,
    pub(crate) rows: Vec<AlarmRow>,
}

/// One method on one task.
pub(crate) struct AlarmRow {
    pub(crate) method: String,
    /// Runs that gave the alarm at some update.
    pub(crate) raised: usize,
    /// All runs that recorded it.
    pub(crate) cells: Vec<CellId>,
}

pub(super) fn by_task(board: &Board<'_>, alarm: &Alarm) -> Result<Vec<TaskAlarms>, ReportError> {
    let series = board.series(alarm.metric)?;
    let mut tasks = Vec::new();
    for (task, name) in board.tasks.iter().enumerate() {
        let mut rows = Vec::new();
        for (method, label) in board.methods.iter().enumerate() {
            // The largest value of each run: 1 where it gave the alarm once.
            let runs = board.scores(&series, (task, method), |run| {
                let values = run.iter().flat_map(|(_, values)| values);
                values.copied().reduce(f64::max)
            });
            if runs.is_empty() {
                continue;
            }
            rows.push(AlarmRow {
                method: label.clone(),
                raised: runs.iter().filter(|run| run.value > 0.0).count(),
                cells: super::cells(&runs),
            });
        }
        tasks.push(TaskAlarms {
            task: name.clone(),
            rows,
        });
    }
    Ok(tasks)
}
