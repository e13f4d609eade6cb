//! From a task and its parameters to batches.

use std::sync::Arc;

use era_data::{
    DataError, Draws, Images, Loader, Pipeline, Position, RandAugment, RandomErasing, TrainConfig,
};
use era_harness::TrainError;
use era_harness::seed::Streams;
use rand_chacha::ChaCha8Rng;

use crate::params::{Common, CropKind};
use crate::tasks::TaskInfo;

/// Images that are evaluated together.
const EVAL_BATCH: usize = 256;

/// Name of the environment variable with the number of threads that load images; 1 where it is not set. The images do not depend on
/// it.
const THREADS: &str = "ERA_LOADER_THREADS";

/// The loader of the training images from update `step` on.
pub(crate) fn train(
    images: Arc<dyn Images>,
    task: &TaskInfo,
    params: &Common,
    streams: Streams,
    step: u64,
    updates_per_epoch: u64,
) -> Result<Loader, TrainError> {
    let config = TrainConfig {
        batch_size: params.batch_size,
        threads: threads(),
        epochs: params.epochs,
        start: Position {
            epoch: step / updates_per_epoch,
            batch: step % updates_per_epoch,
        },
    };
    let draws = Arc::new(RunDraws(streams));
    Loader::train(images, train_pipeline(task, params), draws, config).map_err(refused)
}

/// The loader of the test images, all of them in their order.
pub(crate) fn eval(
    images: Arc<dyn Images>,
    task: &TaskInfo,
    params: &Common,
) -> Result<Loader, TrainError> {
    Loader::eval(images, eval_pipeline(task, params), EVAL_BATCH, threads()).map_err(refused)
}

fn train_pipeline(task: &TaskInfo, params: &Common) -> Pipeline {
    let normalise = task.normalise();
    let rand_augment = (params.rand_augment_ops > 0).then(|| {
        let fill = normalise.mean_bytes();
        RandAugment::new(params.rand_augment_ops, params.rand_augment_magnitude, fill)
    });
    let erasing = (params.random_erasing > 0.0).then_some(RandomErasing {
        probability: params.random_erasing,
    });
    let pipeline = match params.crop {
        CropKind::None => Pipeline::plain(normalise),
        CropKind::Pad => Pipeline::pad_crop_flip(params.crop_padding, normalise),
        CropKind::Resized => Pipeline::random_resized(params.image_size, normalise),
    };
    Pipeline {
        flip: if params.flip { 0.5 } else { 0.0 },
        rand_augment,
        erasing,
        ..pipeline
    }
}

fn eval_pipeline(task: &TaskInfo, params: &Common) -> Pipeline {
    match params.crop {
        CropKind::None | CropKind::Pad => Pipeline::plain(task.normalise()),
        CropKind::Resized => Pipeline::center(params.image_size, task.normalise()),
    }
}

/// The random numbers of loading, from the run's streams.
#[derive(Debug)]
struct RunDraws(Streams);

impl Draws for RunDraws {
    fn order(&self, epoch: u64) -> ChaCha8Rng {
        self.0.at("order", epoch)
    }

    fn sample(&self, epoch: u64, sample: usize) -> ChaCha8Rng {
        self.0.at("augment", (epoch << 32) | sample as u64)
    }
}

fn threads() -> usize {
    let set = std::env::var(THREADS)
        .ok()
        .and_then(|text| text.parse().ok());
    set.unwrap_or(1)
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
pub(crate) fn refused(error: DataError) -> TrainError {
    TrainError::Other(error.to_string())
}
