//! Which samples a batch holds, and how it is loaded.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Batch, Draws, Position, TrainConfig};
use crate::{DataError, ImageShape, Images, Pipeline};

/// All batches of a loader, numbered from 0.
pub(super) struct Plan {
    images: Arc<dyn Images>,
    pipeline: Pipeline,
    shape: ImageShape,
    batch_size: usize,
    batches_per_epoch: u64,
    /// Batches before number 0, from the start of epoch 0.
    skipped: u64,
    /// Batches from number 0 on.
    len: u64,
    /// `None`: in order and without random numbers.
    draws: Option<Arc<dyn Draws>>,
    /// The latest epoch that a thread came to, and its order: computed once an epoch, not once a batch.
    latest: Mutex<Option<(u64, Arc<Vec<u32>>)>>,
}

impl Plan {
    /// See [`Loader::train`](super::Loader::train).
    pub(super) fn train(
        images: Arc<dyn Images>,
        pipeline: Pipeline,
        draws: Arc<dyn Draws>,
        config: TrainConfig,
    ) -> Result<Self, DataError> {
        let mut plan = Self::in_order(images, pipeline, config.batch_size)?;
        let (images, size) = (plan.images.len(), config.batch_size);
        plan.batches_per_epoch = (images / size) as u64;
        if plan.batches_per_epoch == 0 {
            return Err(DataError::setup(format!(
                "{images} images do not fill a batch of {size}"
            )));
        }
        let Position { epoch, batch } = config.start;
        if batch >= plan.batches_per_epoch || epoch > config.epochs {
            return Err(DataError::setup(format!(
                "there is no batch {batch} of epoch {epoch} in {} epochs of {} batches",
                config.epochs, plan.batches_per_epoch
            )));
        }
        let too_many =
            || DataError::setup(format!("{} epochs are too many to count", config.epochs));
        let total = config
            .epochs
            .checked_mul(plan.batches_per_epoch)
            .ok_or_else(too_many)?;
        // At most `total` plus less than an epoch, when the start is the end.
        plan.skipped = (epoch * plan.batches_per_epoch).saturating_add(batch);
        plan.len = total.saturating_sub(plan.skipped);
        plan.draws = Some(draws);
        Ok(plan)
    }

    /// See [`Loader::eval`](super::Loader::eval).
    pub(super) fn eval(
        images: Arc<dyn Images>,
        pipeline: Pipeline,
        batch_size: usize,
    ) -> Result<Self, DataError> {
        if pipeline.is_random() {
            return Err(DataError::setup(
                "what is evaluated on must not be augmented at random",
            ));
        }
        Self::in_order(images, pipeline, batch_size)
    }

    /// One pass in order.
    fn in_order(
        images: Arc<dyn Images>,
        pipeline: Pipeline,
        batch_size: usize,
    ) -> Result<Self, DataError> {
        if batch_size == 0 {
            return Err(DataError::setup("a batch has to have a sample"));
        }
        if u32::try_from(images.len()).is_err() {
            return Err(DataError::setup(format!(
                "{} images are too many",
                images.len()
            )));
        }
        let batches = images.len().div_ceil(batch_size) as u64;
        Ok(Self {
            shape: pipeline.output(images.shape())?,
            images,
            pipeline,
            batch_size,
            batches_per_epoch: batches,
            skipped: 0,
            len: batches,
            draws: None,
            latest: Mutex::new(None),
        })
    }

    pub(super) fn shape(&self) -> ImageShape {
        self.shape
    }

    pub(super) fn batches_per_epoch(&self) -> u64 {
        self.batches_per_epoch
    }

    /// The number of batches.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Where batch `number` lies.
    pub(super) fn position(&self, number: u64) -> Position {
        let index = self.skipped + number;
        // Without images there is no batch, and one evaluation is no epoch of nothing.
        let per_epoch = self.batches_per_epoch.max(1);
        Position {
            epoch: index / per_epoch,
            batch: index % per_epoch,
        }
    }

    /// Loads batch `number`; `None` when `stopped` says so before it is complete.
    pub(super) fn load(
        &self,
        number: u64,
        stopped: impl Fn() -> bool,
    ) -> Result<Option<Batch>, DataError> {
        let position = self.position(number);
        let samples = self.samples(position);
        let size = self.shape.numel();
        let mut images = vec![0.0; samples.len() * size];
        let mut labels = Vec::with_capacity(samples.len());
        for (&sample, out) in samples.iter().zip(images.chunks_exact_mut(size.max(1))) {
            if stopped() {
                return Ok(None);
            }
            let image = self.images.read(sample)?;
            let mut rng = match &self.draws {
                Some(draws) => draws.sample(position.epoch, sample),
                None => ChaCha8Rng::from_seed([0; 32]),
            };
            self.pipeline.apply(&image, &mut rng, out)?;
            labels.push(self.images.label(sample));
        }
        Ok(Some(Batch {
            position,
            images,
            labels,
            samples,
        }))
    }

    /// The samples of a batch.
    fn samples(&self, at: Position) -> Vec<usize> {
        // Below the number of images, which is below 2^32.
        let start = at.batch as usize * self.batch_size;
        let end = (start + self.batch_size).min(self.images.len());
        match &self.draws {
            None => (start..end).collect(),
            Some(draws) => {
                let order = self.order(draws.as_ref(), at.epoch);
                order[start..end]
                    .iter()
                    .map(|&sample| sample as usize)
                    .collect()
            }
        }
    }

    /// The order of an epoch.
    fn order(&self, draws: &dyn Draws, epoch: u64) -> Arc<Vec<u32>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, order)) = latest.as_ref()
            && *known == epoch
        {
            return Arc::clone(order);
        }
        let order = Arc::new(shuffled(self.images.len(), &mut draws.order(epoch)));
        // A thread that is still at the epoch before does not push the new one out.
        if latest.as_ref().is_none_or(|(known, _)| *known < epoch) {
            *latest = Some((epoch, Arc::clone(&order)));
        }
        order
    }
}

/// The numbers below `count` in random order (Fisher and Yates, from the end).
fn shuffled(count: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    for last in (1..order.len()).rev() {
        let chosen = rng.random_range(0..=last as u64);
        order.swap(last, chosen as usize);
    }
    order
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("images", &self.images)
            .field("pipeline", &self.pipeline)
            .field("batch_size", &self.batch_size)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
