//! Batches, read ahead in the background.
//!
//! A batch is a pure function of its position: threads take whole batches, whoever is free takes the next, and they are
//! handed out in order.

mod plan;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rand_chacha::ChaCha8Rng;

use crate::{DataError, ImageShape, Images, Pipeline};
use plan::Plan;

/// Batches that are loaded ahead, where there are not more threads than that.
const AHEAD: u64 = 4;

/// Some images, ready for the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Which batch this is.
    pub position: Position,
    /// The images: `[samples, channels, height, width]`, the last running fastest.
    pub images: Vec<f32>,
    /// Their labels.
    pub labels: Vec<usize>,
    /// Their indices in the set.
    pub samples: Vec<usize>,
}

/// A batch among all batches of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The pass over the data, from 0.
    pub epoch: u64,
    /// The batch in it, from 0.
    pub batch: u64,
}

/// Random numbers as pure functions of what they are for.
pub trait Draws: Send + Sync {
    /// The generator of the order of an epoch.
    fn order(&self, epoch: u64) -> ChaCha8Rng;

    /// The generator of the augmentation of a sample (its index in the set) in an epoch.
    fn sample(&self, epoch: u64, sample: usize) -> ChaCha8Rng;
}

/// How a training passes over the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainConfig {
    /// Samples a batch, at least 1.
    pub batch_size: usize,
    /// Threads that load; 0 loads in the caller's.
    pub threads: usize,
    /// Passes over the data.
    pub epochs: u64,
    /// The first batch.
    pub start: Position,
}

/// An iterator over batches. After an error it ends.
///
/// Up to four batches, or one a thread, are loaded ahead and held. Dropping it ends its threads, each after the sample
/// that it is at.
pub struct Loader {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Batches handed out.
    taken: u64,
    failed: bool,
}

impl Loader {
    /// Batches to train on: every epoch in an order of its own, all of `batch_size` (what is left over at an epoch's end
    /// is dropped). From `start` on they are those of a loader that began at the beginning.
    ///
    /// # Errors
    /// [`DataError::Setup`] when `pipeline` does not fit `images`, there are fewer images than a batch has, or `start`
    /// lies outside; [`DataError::Thread`] when no thread can be had.
    pub fn train(
        images: Arc<dyn Images>,
        pipeline: Pipeline,
        draws: Arc<dyn Draws>,
        config: TrainConfig,
    ) -> Result<Self, DataError> {
        let plan = Plan::train(images, pipeline, draws, config)?;
        Self::start(plan, config.threads)
    }

    /// Batches to evaluate on: one pass in order, the last batch as small as it comes out.
    ///
    /// # Errors
    /// [`DataError::Setup`] when `pipeline` does not fit `images` or is random, or `batch_size` is 0; [`DataError::Thread`]
    /// when no thread can be had.
    pub fn eval(
        images: Arc<dyn Images>,
        pipeline: Pipeline,
        batch_size: usize,
        threads: usize,
    ) -> Result<Self, DataError> {
        Self::start(Plan::eval(images, pipeline, batch_size)?, threads)
    }

    fn start(plan: Plan, threads: usize) -> Result<Self, DataError> {
        let mut loader = Self {
            shared: Arc::new(Shared {
                ahead: AHEAD.max(threads as u64),
                plan,
                stop: AtomicBool::new(false),
                queue: Mutex::default(),
                loaded: Condvar::new(),
                wanted: Condvar::new(),
            }),
            threads: Vec::new(),
            taken: 0,
            failed: false,
        };
        for number in 0..threads {
            let shared = Arc::clone(&loader.shared);
            let thread = std::thread::Builder::new()
                .name(format!("loader-{number}"))
                .spawn(move || shared.work())
                .map_err(|source| DataError::Thread { source })?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// The shape of every image in a batch.
    pub fn shape(&self) -> ImageShape {
        self.shared.plan.shape()
    }

    /// Batches in one pass over the data.
    pub fn batches_per_epoch(&self) -> u64 {
        self.shared.plan.batches_per_epoch()
    }

    /// The batch that comes next: where to start in order to go on from here.
    pub fn position(&self) -> Position {
        self.shared.plan.position(self.taken)
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.taken >= self.shared.plan.len() {
            return None;
        }
        let batch = if self.threads.is_empty() {
            self.shared.load(self.taken)?
        } else {
            self.shared.take(self.taken)
        };
        if batch.is_ok() {
            self.taken += 1;
        } else {
            self.failed = true;
            self.shared.stop();
        }
        Some(batch)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // Panics while loading are caught where they happen; there is nobody left to tell of another.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("plan", &self.shared.plan)
            .field("threads", &self.threads.len())
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

/// What the loader and its threads share.
struct Shared {
    plan: Plan,
    ahead: u64,
    stop: AtomicBool,
    queue: Mutex<Queue>,
    /// A batch was loaded.
    loaded: Condvar,
    /// A batch was taken, or the end came.
    wanted: Condvar,
}

#[derive(Default)]
struct Queue {
    /// The next batch that no thread has begun.
    next: u64,
    /// Batches handed out.
    taken: u64,
    /// Batches loaded and not yet handed out.
    ready: BTreeMap<u64, Result<Batch, DataError>>,
}

impl Shared {
    /// What a thread does: takes the next batch while there is one and room for it, and loads it.
    fn work(&self) {
        loop {
            let mut queue = self.lock();
            while !self.stopped()
                && queue.next < self.plan.len()
                && queue.next >= queue.taken + self.ahead
            {
                queue = self
                    .wanted
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if self.stopped() || queue.next >= self.plan.len() {
                return;
            }
            let number = queue.next;
            queue.next += 1;
            drop(queue);
            let Some(batch) = self.load(number) else {
                return;
            };
            self.lock().ready.insert(number, batch);
            self.loaded.notify_all();
        }
    }

    /// Waits for a batch and takes it.
    fn take(&self, number: u64) -> Result<Batch, DataError> {
        let mut queue = self.lock();
        let batch = loop {
            if let Some(batch) = queue.ready.remove(&number) {
                break batch;
            }
            queue = self
                .loaded
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        };
        queue.taken = number + 1;
        drop(queue);
        self.wanted.notify_all();
        batch
    }

    /// Loads a batch, or `None` when it is wanted no more. A panic becomes an error.
    fn load(&self, number: u64) -> Option<Result<Batch, DataError>> {
        let load = AssertUnwindSafe(|| self.plan.load(number, || self.stopped()));
        match catch_unwind(load) {
            Ok(result) => result.transpose(),
            Err(panic) => {
                let Position { epoch, batch } = self.plan.position(number);
                let reason = message(panic.as_ref());
                Some(Err(DataError::Panicked {
                    epoch,
                    batch,
                    reason,
                }))
            }
        }
    }

    /// Ends the threads.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // Under the lock, so that no thread is between its look at `stop` and its wait.
        drop(self.lock());
        self.wanted.notify_all();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that is done under the lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "no message".to_owned()
    }
}
