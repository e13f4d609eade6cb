//! The confidence penalty (Pereyra et al. 2017): cross-entropy minus a multiple of the entropy of the predictions. It is what ERA
//! does without: the entropy in the loss instead of in the output.
//!
//! `docs/algorithms/entropy-bonus.md` says what is recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `entropy-bonus`.
    EntropyBonusParams {
        /// Weight of the entropy, in nats. Pereyra et al. report 0.1 for CIFAR-10.
        entropy_coef: f64 = 0.1,
    }
}

impl ParamSet for EntropyBonusParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::between("entropy_coef", self.entropy_coef, 0.0, f64::MAX)?;
        self.common().validate(task)
    }
}

/// The method `entropy-bonus`.
#[derive(Debug)]
pub struct EntropyBonus;

impl Method for EntropyBonus {
    fn name(&self) -> &'static str {
        "entropy-bonus"
    }

    fn about(&self) -> &'static str {
        "cross-entropy less a multiple of the entropy of the predictions"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<EntropyBonusParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: EntropyBonusParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: EntropyBonusParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let logits = pass.logits(pass.features.clone());
            let data = loss::cross_entropy(logits.clone(), training.targets(&step, 0.0));
            let loss = data - loss::entropy(logits.clone()) * params.entropy_coef;
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, None, |logits| logits)?;
        }
        Ok(())
    }
}
