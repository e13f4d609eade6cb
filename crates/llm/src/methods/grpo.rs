//! GRPO (Shao et al. 2024, arXiv 2402.03300): PPO's surrogate on advantages that compare an answer with the others to its prompt, without
//! a critic.
//!
//! As in the ERA paper's runs (verl, `recipe/dapo`): advantages over the group's standard deviation, prompts that teach nothing replaced
//! (dynamic sampling), a mean over tokens, no divergence from a reference and one step for each batch of answers, which is exactly
//! on-policy: the ratio is 1 and clipping does nothing. `docs/algorithms/grpo.md` says what is recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::descent::Slopes;
use crate::params::{self, parameters};
use crate::start;
use crate::surrogate::{ClipRange, Surrogate};
use crate::training::Training;

parameters! {
    /// Parameters of `grpo`.
    GrpoParams {
        /// Steps for each batch of answers, each on a part of its prompts. With one the method is on-policy.
        mini_batches: usize = 1,
        /// How far below 1 a ratio counts; for more than one step only.
        clip_low: f64 = 0.2,
        /// How far above.
        clip_high: f64 = 0.2,
        /// Where the loss of a token with a negative advantage ends to grow with its ratio (dual clip). 10 in the paper's scripts.
        clip_c: f64 = 10.0,
    }
}

impl ParamSet for GrpoParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::at_least("mini_batches", self.mini_batches as u64, 1)?;
        params::between("clip_low", self.clip_low, 0.0, 1.0)?;
        params::between("clip_high", self.clip_high, 0.0, f64::MAX)?;
        params::between("clip_c", self.clip_c, 1.0, f64::MAX)?;
        self.common().validate(task)
    }
}

/// The method `grpo`.
#[derive(Debug)]
pub struct Grpo;

impl Method for Grpo {
    fn name(&self) -> &'static str {
        "grpo"
    }

    fn about(&self) -> &'static str {
        "group-relative policy optimisation: PPO's surrogate on advantages within groups of answers"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<GrpoParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, GrpoParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: GrpoParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: GrpoParams = params::of(cell)?;
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
