//! Clip-Cov (Cui et al. 2025, arXiv 2505.22617): GRPO in which a few tokens whose log-probability and advantage are high together, which
//! take most of the entropy away, have no part in the loss.
//!
//! verl's script takes eight steps for each batch of answers; here `mini_batches` says how many.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::covariance::ClipCov;
use crate::descent::Slopes;
use crate::params::{self, parameters};
use crate::start;
use crate::surrogate::ClipRange;
use crate::training::Training;

parameters! {
    /// Parameters of `clip-cov`.
    ClipCovParams {
        /// Share of the tokens that is taken out, but at least one. 2e-4 in verl's script, for batches of a million tokens.
        clip_cov_share: f64 = 2e-4,
        /// Candidates have a covariance above this; 1 in verl's script.
        cov_lower: f64 = 1.0,
        /// And below this; 5 in verl's script.
        cov_upper: f64 = 5.0,
        /// Steps for each batch of answers, each on a part of its prompts.
        mini_batches: usize = 4,
        /// How far below 1 a ratio counts; 1 in verl's script.
        clip_low: f64 = 1.0,
        /// How far above; 1 in verl's script.
        clip_high: f64 = 1.0,
    }
}

impl ParamSet for ClipCovParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::between("clip_cov_share", self.clip_cov_share, 0.0, 1.0)?;
        params::between("cov_upper", self.cov_upper, self.cov_lower, f64::MAX)?;
        params::at_least("mini_batches", self.mini_batches as u64, 1)?;
        params::between("clip_low", self.clip_low, 0.0, 1.0)?;
        params::between("clip_high", self.clip_high, 0.0, f64::MAX)?;
        self.common().validate(task)
    }
}

/// The method `clip-cov`.
#[derive(Debug)]
pub struct ClipCovMethod;

impl Method for ClipCovMethod {
    fn name(&self) -> &'static str {
        "clip-cov"
    }

    fn about(&self) -> &'static str {
        "GRPO without a few of the tokens that take most entropy away (Clip-Cov)"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<ClipCovParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, ClipCovParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: ClipCovParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: ClipCovParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), None, run)?;
        let loss = ClipCov {
            clip: ClipRange {
                low: params.clip_low,
                high: params.clip_high,
            },
            share: params.clip_cov_share,
            lower: params.cov_lower,
            upper: params.cov_upper,
            aggregation: params.common().aggregation(),
        };

        while let Some(rollout) = training.rollout(run)? {
            let advantages = rollout.advantages().map_err(params::refused)?;
            for batch in rollout.mini_batches(params.mini_batches) {
                // The parts of an update draw from one stream after another.
                let mut rng = training.rng(&format!("covariance {}", batch.start));
                training.descend(&rollout, batch, &advantages, loss.aggregation, |descent| {
                    descent.coupled(|tokens| {
                        let mut slopes = Slopes::default();
                        let seen = loss.evaluate(tokens, &mut rng, &mut slopes.log_prob);
                        slopes.loss = seen.loss;
                        slopes.clip_fraction = seen.clip_fraction;
                        slopes
                    })
                })?;
            }
            training.end_update(run)?;
        }
        Ok(())
    }
}
