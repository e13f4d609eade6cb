//! GRPO with clip-higher (DAPO, Yu et al. 2025, arXiv 2503.14476): a ratio may rise further than it may fall, so that unlikely tokens are not
//! held where they are, which costs entropy.
//!
//! Clipping acts from the second step on a batch of answers, so this method takes several.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::descent::Slopes;
use crate::params::{self, parameters};
use crate::start;
use crate::surrogate::{ClipRange, Surrogate};
use crate::training::Training;

parameters! {
    /// Parameters of `grpo-clip-higher`.
    GrpoClipHigherParams {
        /// Steps for each batch of answers, each on a part of its prompts. On-policy, with one, nothing is clipped and this is `grpo`.
        mini_batches: usize = 4,
        /// How far below 1 a ratio counts; 0.2 in DAPO.
        clip_low: f64 = 0.2,
        /// How far above; 0.28 in DAPO.
        clip_high: f64 = 0.28,
        /// Where the loss of a token with a negative advantage ends to grow with its ratio (dual clip). 10 in the paper's scripts.
        clip_c: f64 = 10.0,
    }
}

impl ParamSet for GrpoClipHigherParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::at_least("mini_batches", self.mini_batches as u64, 1)?;
        params::between("clip_low", self.clip_low, 0.0, 1.0)?;
        params::between("clip_high", self.clip_high, 0.0, f64::MAX)?;
        params::between("clip_c", self.clip_c, 1.0, f64::MAX)?;
        self.common().validate(task)
    }
}

/// The method `grpo-clip-higher`.
#[derive(Debug)]
pub struct GrpoClipHigher;

impl Method for GrpoClipHigher {
    fn name(&self) -> &'static str {
        "grpo-clip-higher"
    }

    fn about(&self) -> &'static str {
        "GRPO whose ratios may rise further than they may fall (DAPO)"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<GrpoClipHigherParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, GrpoClipHigherParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: GrpoClipHigherParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: GrpoClipHigherParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), None, run)?;
        let loss = Surrogate {
            clip: ClipRange {
                low: params.clip_low,
                high: params.clip_high,
            },
            clip_c: params.clip_c,
            aggregation: params.common().aggregation(),
        };

        while let Some(rollout) = training.rollout(run)? {
            let advantages = rollout.advantages().map_err(params::refused)?;
            for batch in rollout.mini_batches(params.mini_batches) {
                training.descend(&rollout, batch, &advantages, loss.aggregation, |descent| {
                    descent.separable(|part| {
                        let mut slopes = Slopes::default();
                        let seen = loss.evaluate(part.batch()?, &mut slopes.log_prob);
                        slopes.loss = seen.loss;
                        slopes.clip_fraction = seen.clip_fraction;
                        Ok(slopes)
                    })
                })?;
            }
            training.end_update(run)?;
        }
        Ok(())
    }
}
