//! The run context: what a method gets from the harness while it trains.
//!
//! The loop of a method that can be killed at any moment and resumed to the same end:
//!
//! ```
//! # use era_harness::TrainError;
//! # use era_harness::run::{Checkpoint, Run};
//! fn train(steps: u64, run: &mut Run) -> Result<(), TrainError> {
//!     // Networks, optimisers and buffers come back from the arrays of the checkpoint.
//!     let mut step = run.resume()?.map_or(0, |checkpoint| checkpoint.step);
//!     while step < steps {
//!         step += 1;
//!         // Learn; random numbers of this step come from `run.streams().at("purpose", step)`.
//!         run.log(step, &[("train/loss", 1.0 / step as f64)])?;
//!         // Last in a step, so that a checkpoint holds all that was logged up to its step.
//!         if run.checkpoint_due() {
//!             run.save(&Checkpoint { step, ..Checkpoint::default() })?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```

use std::cell::Cell as Counter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cell::{Cell, CellId};
use crate::device::DeviceId;
use crate::files::{self, FileError};
use crate::method::TrainError;
use crate::protocol::{Message, Progress, tell, warn};
use crate::record::Row;
use crate::sealed::{self, Seal};
use crate::seed::Streams;
use crate::stop::Stop;
use checkpoint::{Checkpoints, Manifest, Marks};
use rows::RowLog;
use tensorboard::EventFile;

pub(crate) mod checkpoint;
pub(crate) mod rows;
pub(crate) mod tensorboard;

pub use checkpoint::{Array, Checkpoint};

const METRICS_LOG: &str = "metrics.jsonl";
const TIMINGS_LOG: &str = "timings.jsonl";

/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How often a checkpoint is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// When this much time has passed since the last one.
    Time(Duration),
    /// When asked this many times since the last one: for tests, where a clock would decide too much.
    Asked(u64),
}

/// The run's own folder could not be read or written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Written by a newer version of this program.
    #[error("read {}: it has format {found}, this program knows up to {known}; update the program or move the folder away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this program reads.
        known: u32,
    },
}

/// How a run behaves. None of it takes part in a cell's identity.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How often a checkpoint is due.
    pub checkpoint_every: CheckpointEvery,
    /// Tell progress on standard output ([`Message`]).
    pub progress: bool,
    /// Request to end the run with a checkpoint.
    pub stop: Stop,
    /// Folder of what runs make for others to read.
    pub cache: PathBuf,
    /// Number of the device among those of the cell's engine.
    pub device_index: usize,
}

/// Where the run of a cell leaves what others read, under the folder `cache`. The cell names it, so it is the same for all who ask.
pub fn made_by(cache: &Path, cell: &CellId) -> PathBuf {
    cache.join("made").join(&cell.0)
}

/// What a method gets from the harness while it trains.
#[derive(Debug)]
pub struct Run {
    dir: PathBuf,
    cell: CellId,
    device: DeviceId,
    streams: Streams,
    options: RunOptions,
    /// Opened by [`Run::resume`], or empty by the first that needs them.
    logs: Option<Logs>,
    checkpoints: Checkpoints,
    saved_at: Instant,
    asked: Counter<u64>,
    told_at: Option<Instant>,
    headline: Vec<(String, f64)>,
}

/// The files that grow while a run trains.
#[derive(Debug)]
struct Logs {
    metrics: RowLog,
    timings: RowLog,
    events: EventFile,
}

impl Logs {
    fn create(dir: &Path) -> Result<Self, FileError> {
        Ok(Self {
            metrics: RowLog::create(&dir.join(METRICS_LOG))?,
            timings: RowLog::create(&dir.join(TIMINGS_LOG))?,
            events: EventFile::create(&dir.join(tensorboard::FILE_NAME))?,
        })
    }

    /// Cuts all logs back to where they were at a checkpoint. The metrics must be those of the checkpoint; timings and
    /// TensorBoard's copy decide nothing and are begun anew when they are damaged.
    fn reopen(dir: &Path, manifest: &Manifest) -> Result<Result<Self, String>, RunError> {
        let metrics = match RowLog::reopen(&dir.join(METRICS_LOG), &manifest.metrics)? {
            Ok(metrics) => metrics,
            Err(reason) => return Ok(Err(format!("{METRICS_LOG}: {reason}"))),
        };
        let path = dir.join(TIMINGS_LOG);
        let timings = match RowLog::reopen(&path, &manifest.timings)? {
            Ok(timings) => timings,
            Err(reason) => {
                warn(format_args!("{TIMINGS_LOG} is begun anew: {reason}"));
                RowLog::create(&path)?
            }
        };
        let path = dir.join(tensorboard::FILE_NAME);
        let events = match EventFile::reopen(&path, manifest.events)? {
            Some(events) => events,
            None => rebuild_events(&path, &metrics.read_back()?)?,
        };
        Ok(Ok(Self {
            metrics,
            timings,
            events,
        }))
    }
}

/// Writes the event file again from the metrics.
fn rebuild_events(path: &Path, rows: &[Row]) -> Result<EventFile, FileError> {
    let mut events = EventFile::create(path)?;
    for group in rows.chunk_by(|a, b| a.step == b.step && a.metric == b.metric && b.index != 0) {
        events.scalars(group[0].step, &[(&group[0].metric, mean(group))])?;
    }
    Ok(events)
}

/// The mean of a series; of one value, itself.
fn mean(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.value).sum::<f64>() / rows.len() as f64
}

impl Run {
    /// The run of `cell` in `dir`, which exists. Nothing is read or written yet.
    pub fn new(dir: &Path, cell: &Cell, options: RunOptions) -> Self {
        Self {
            dir: dir.to_path_buf(),
            cell: cell.id(),
            device: DeviceId {
                engine: cell.engine.clone(),
                index: options.device_index,
            },
            streams: Streams::new(cell.seed),
            options,
            logs: None,
            checkpoints: Checkpoints::new(dir, cell.id()),
            saved_at: Instant::now(),
            asked: Counter::new(0),
            told_at: None,
            headline: Vec::new(),
        }
    }

    /// The random streams of this run.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// Where this run computes.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Leaves `bytes` for runs of other cells to read ([`Run::left_by`]), as the last thing that a run does which others require.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn leave(&self, bytes: &[u8]) -> Result<(), TrainError> {
        let path = made_by(&self.options.cache, &self.cell);
        let folder = path.parent().map_or(Ok(()), files::create_folder);
        let written = folder.and_then(|()| files::write_whole(&path, bytes));
        Ok(written.map_err(RunError::from)?)
    }

    /// What the run of another cell has left, one of [`Method::requires`](crate::Method::requires).
    ///
    /// # Errors
    /// It is not there, as where a cell is trained alone, or cannot be read.
    pub fn left_by(&self, cell: &Cell) -> Result<Vec<u8>, TrainError> {
        let path = made_by(&self.options.cache, &cell.id());
        let found = files::read_if_there(&path).map_err(RunError::from)?;
        found.ok_or_else(|| {
            TrainError::Other(format!(
                "{} is not there: `reproduce` makes what a cell starts from",
                path.display()
            ))
        })
    }

    /// Records metrics at `step`; a value that is not finite fails the run as diverged.
    /// Only values that are equal in every execution of the cell belong here.
    ///
    /// # Errors
    /// `Diverged` (then nothing of this call is recorded), or the folder cannot be written.
    pub fn log(&mut self, step: u64, metrics: &[(&str, f64)]) -> Result<(), TrainError> {
        check_finite(step, metrics.iter().copied())?;
        let rows: Vec<Row> = metrics
            .iter()
            .map(|(metric, value)| single(step, metric, *value))
            .collect();
        let logs = self.logs()?;
        logs.metrics.append(step, &rows).map_err(RunError::from)?;
        logs.events.scalars(step, metrics).map_err(RunError::from)?;
        Ok(())
    }

    /// Records a series (one value an episode, a response, a class…) at `step`; TensorBoard gets its mean.
    ///
    /// # Errors
    /// As [`Run::log`].
    pub fn log_series(
        &mut self,
        step: u64,
        metric: &str,
        values: &[f64],
    ) -> Result<(), TrainError> {
        check_finite(step, values.iter().map(|value| (metric, *value)))?;
        if values.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row> = (0..)
            .zip(values)
            .map(|(index, value)| Row {
                index,
                ..single(step, metric, *value)
            })
            .collect();
        let logs = self.logs()?;
        logs.metrics.append(step, &rows).map_err(RunError::from)?;
        logs.events
            .scalars(step, &[(metric, mean(&rows))])
            .map_err(RunError::from)?;
        Ok(())
    }

    /// Records what depends on the machine and the clock (steps per second); kept apart from the metrics. A value that
    /// is not finite (a rate over no time) is left out.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn log_timing(&mut self, step: u64, timings: &[(&str, f64)]) -> Result<(), TrainError> {
        let finite = timings.iter().filter(|(_, value)| value.is_finite());
        let rows: Vec<Row> = finite
            .map(|(metric, value)| single(step, metric, *value))
            .collect();
        self.logs()?
            .timings
            .append(step, &rows)
            .map_err(RunError::from)?;
        Ok(())
    }

    /// Sets what the progress bar shows beside the step (`return`, `entropy`), until it is set again. JSON has no word
    /// for what is not finite, so such a value is left out.
    pub fn headline(&mut self, values: &[(&str, f64)]) {
        let shown = values.iter().filter(|(_, value)| value.is_finite());
        self.headline = shown
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
    }

    /// Tells the driver how far the run is. Cheap enough to call every step: it speaks up ten times a second at most.
    pub fn progress(&mut self, step: u64, of: u64) {
        let due = step >= of
            || self
                .told_at
                .is_none_or(|told_at| told_at.elapsed() >= PROGRESS_EVERY);
        if self.options.progress && due {
            self.told_at = Some(Instant::now());
            let headline = self.headline.clone();
            tell(&Message::Progress(Progress { step, of, headline }));
        }
    }

    /// The last good checkpoint of this cell, when it was interrupted; metrics after its step are dropped. To be called
    /// once, before anything is logged; a method that does not call it starts from scratch.
    ///
    /// # Errors
    /// The folder cannot be read. A damaged checkpoint is not an error: it is said, and the one before is taken.
    pub fn resume(&mut self) -> Result<Option<Checkpoint>, TrainError> {
        let dir = &self.dir;
        let found = self
            .checkpoints
            .load(|manifest| Logs::reopen(dir, manifest))?;
        let (checkpoint, logs) = found.unzip();
        self.open(
            logs,
            checkpoint
                .as_ref()
                .map(|checkpoint: &Checkpoint| checkpoint.step),
        )?;
        Ok(checkpoint)
    }

    /// Whether a checkpoint should be written now: some time has passed since the last, or the run was cancelled.
    /// Cheap enough to ask every step.
    pub fn checkpoint_due(&self) -> bool {
        self.asked.update(|asked| asked + 1);
        let passed = match self.options.checkpoint_every {
            CheckpointEvery::Time(time) => self.saved_at.elapsed() >= time,
            CheckpointEvery::Asked(times) => self.asked.get() >= times,
        };
        passed || self.cancelled()
    }

    /// Writes a checkpoint (temporary name, sync, rename; the last two are kept).
    ///
    /// # Errors
    /// The folder cannot be written; `Interrupted` after it was written when the run was cancelled.
    pub fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let logs = self.logs()?;
        let marks = Marks {
            metrics: logs.metrics.mark().map_err(RunError::from)?,
            timings: logs.timings.mark().map_err(RunError::from)?,
            events: logs.events.bytes(),
        };
        self.checkpoints.save(checkpoint, marks)?;
        self.saved_at = Instant::now();
        self.asked.set(0);
        if self.cancelled() {
            Err(TrainError::Interrupted {
                step: checkpoint.step,
            })
        } else {
            Ok(())
        }
    }

    /// Whether the run was asked to stop: then `checkpoint_due` is true, and `save` returns `Interrupted`.
    pub fn cancelled(&self) -> bool {
        self.options.stop.requested()
    }

    /// Seals metrics and timings as Parquet. What they were made from stays until [`clean_up`].
    pub(crate) fn seal(mut self) -> Result<Seal, RunError> {
        let dir = self.dir.clone();
        let logs = self.logs()?;
        sealed::write(&dir.join(sealed::TIMINGS), &logs.timings.read_back()?)?;
        Ok(sealed::write(
            &dir.join(sealed::METRICS),
            &logs.metrics.read_back()?,
        )?)
    }

    fn logs(&mut self) -> Result<&mut Logs, RunError> {
        match self.logs {
            Some(ref mut logs) => Ok(logs),
            None => self.open(None, None),
        }
    }

    /// Training begins: with the logs of a checkpoint, or with empty ones.
    fn open(&mut self, logs: Option<Logs>, resumed_at: Option<u64>) -> Result<&mut Logs, RunError> {
        let logs = logs.map_or_else(|| Logs::create(&self.dir), Ok)?;
        if self.options.progress {
            tell(&Message::Started { resumed_at });
        }
        Ok(self.logs.insert(logs))
    }
}

/// Removes from a run's folder what a finished run does not need.
pub(crate) fn clean_up(dir: &Path) -> Result<(), FileError> {
    files::remove_folder(&dir.join(checkpoint::FOLDER))?;
    files::remove_file(&dir.join(METRICS_LOG))?;
    files::remove_file(&dir.join(TIMINGS_LOG))
}

fn single(step: u64, metric: &str, value: f64) -> Row {
    Row {
        step,
        metric: metric.to_owned(),
        index: 0,
        value,
    }
}

fn check_finite<'a>(
    step: u64,
    values: impl IntoIterator<Item = (&'a str, f64)>,
) -> Result<(), TrainError> {
    match values.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((metric, _)) => Err(TrainError::Diverged {
            what: format!("`{metric}`"),
            step,
        }),
        None => Ok(()),
    }
}
