//! KL-Cov (Cui et al. 2025, arXiv 2505.22617): the policy gradient, with a penalty on the tokens whose log-probability and advantage are
//! high together for moving away from the policy that wrote them.
//!
//! In the first step on a batch of answers nothing has moved, and the penalty does nothing: `mini_batches` must be above 1 for it to act.
//! verl's script takes eight steps.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::covariance::KlCov;
use crate::descent::Slopes;
use crate::params::{self, parameters};
use crate::start;
use crate::training::Training;

parameters! {
    /// Parameters of `kl-cov`.
    KlCovParams {
        /// Share of the tokens that is penalised, but at least one. 2e-3 in verl's script.
        kl_cov_share: f64 = 2e-3,
        /// Weight of the penalty; 1 in verl's script.
        kl_cov_coefficient: f64 = 1.0,
        /// Steps for each batch of answers, each on a part of its prompts.
        mini_batches: usize = 4,
    }
}

impl ParamSet for KlCovParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::between("kl_cov_share", self.kl_cov_share, 0.0, 1.0)?;
        params::between("kl_cov_coefficient", self.kl_cov_coefficient, 0.0, f64::MAX)?;
        params::at_least("mini_batches", self.mini_batches as u64, 2)?;
        self.common().validate(task)
    }
}

/// The method `kl-cov`.
#[derive(Debug)]
pub struct KlCovMethod;

impl Method for KlCovMethod {
    fn name(&self) -> &'static str {
        "kl-cov"
    }

    fn about(&self) -> &'static str {
        "GRPO with a penalty on a few of the tokens that take most entropy away (KL-Cov)"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<KlCovParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, KlCovParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: KlCovParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: KlCovParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), None, run)?;
        let loss = KlCov {
            share: params.kl_cov_share,
            coefficient: params.kl_cov_coefficient,
            aggregation: params.common().aggregation(),
        };

        while let Some(rollout) = training.rollout(run)? {
            let advantages = rollout.advantages().map_err(params::refused)?;
            for batch in rollout.mini_batches(params.mini_batches) {
                training.descend(&rollout, batch, &advantages, loss.aggregation, |descent| {
                    descent.coupled(|tokens| {
                        let mut slopes = Slopes::default();
                        slopes.loss = loss.evaluate(tokens, &mut slopes.log_prob).loss;
                        slopes
                    })
                })?;
            }
            training.end_update(run)?;
        }
        Ok(())
    }
}
