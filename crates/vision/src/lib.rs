//! Image classification: residual networks trained with ERA, cross-entropy, label smoothing, dropout, an entropy bonus and
//! focal loss.
//!
//! [`suite`] is what the driver sees. Each method is one file under `methods` with its parameters, its loss and its training loop;
//! what they share is plumbing: networks ([`nets`]), data sets ([`tasks`]), the state of a training (`training`), and the
//! [`metrics`] of a classifier.

pub mod agreement;
pub mod loss;
pub mod methods;
pub mod metrics;
pub mod nets;
pub mod tasks;

mod loading;
mod params;
mod schedule;
mod training;

use burn::tensor::Device;
use era_harness::run::Run;
use era_harness::{Suite, TrainError};

/// The tasks and methods of image classification.
pub fn suite() -> Suite {
    Suite {
        name: "vision",
        about: "image classification: ERA and other regularisers of a classifier's output",
        tasks: tasks::all().iter().map(tasks::TaskInfo::task).collect(),
        methods: vec![
            &methods::cross_entropy::CrossEntropy,
            &methods::label_smoothing::LabelSmoothing,
            &methods::dropout::Dropout,
            &methods::entropy_bonus::EntropyBonus,
            &methods::focal::Focal,
            &methods::era::Era,
            &methods::era_exact::EraExact,
            &methods::timm_recipe::TimmRecipe,
        ],
    }
}

/// Where the run computes.
fn device(run: &Run) -> Result<Device, TrainError> {
    let id = run.device();
    era_nn::device(&id.engine, id.index).map_err(|lack| TrainError::Other(lack.to_string()))
}
