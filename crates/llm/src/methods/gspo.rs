//! GSPO (Zheng et al. 2025, arXiv 2507.18071): the clipped surrogate on the geometric mean of an answer's ratios, so that an answer is
//! clipped as a whole; every answer counts the same.
//!
//! Ratios of answers lie much nearer to 1 than those of tokens, and so do the bounds. They act from the second step on a batch of answers.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::batch::Aggregation;
use crate::descent::Slopes;
use crate::gspo::Gspo;
use crate::params::{self, parameters};
use crate::start;
use crate::surrogate::ClipRange;
use crate::training::Training;

parameters! {
    /// Parameters of `gspo`.
    GspoParams {
        /// Steps for each batch of answers, each on a part of its prompts; 4 in its paper.
        mini_batches: usize = 4,
        /// How far below 1 a ratio counts; 3e-4 in its paper.
        clip_low: f64 = 3e-4,
        /// How far above; 4e-4 in its paper.
        clip_high: f64 = 4e-4,
    }
}

impl ParamSet for GspoParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::at_least("mini_batches", self.mini_batches as u64, 1)?;
        params::between("clip_low", self.clip_low, 0.0, 1.0)?;
        params::between("clip_high", self.clip_high, 0.0, f64::MAX)?;
        self.common().validate(task)
    }
}

/// The method `gspo`.
#[derive(Debug)]
pub struct GspoMethod;

impl Method for GspoMethod {
    fn name(&self) -> &'static str {
        "gspo"
    }

    fn about(&self) -> &'static str {
        "the surrogate on ratios of whole answers instead of tokens (GSPO)"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<GspoParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, GspoParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: GspoParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: GspoParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), None, run)?;
        let loss = Gspo {
            clip: ClipRange {
                low: params.clip_low,
                high: params.clip_high,
            },
        };
        // `reduction` does not apply: answers count the same.
        let aggregation = Aggregation::SeqMeanTokenMean;

        while let Some(rollout) = training.rollout(run)? {
            let advantages = rollout.advantages().map_err(params::refused)?;
            for batch in rollout.mini_batches(params.mini_batches) {
                training.descend(&rollout, batch, &advantages, aggregation, |descent| {
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
