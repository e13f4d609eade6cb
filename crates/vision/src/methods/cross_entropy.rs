//! Cross-entropy with one-hot labels: the baseline.
//!
//! `docs/algorithms/cross-entropy.md` says what is recorded. Nothing is smoothed here, where timm's `train.py` smooths by 0.1 when
//! told nothing ([`super::timm_recipe`]).

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `cross-entropy`.
    CrossEntropyParams {
    }
}

impl ParamSet for CrossEntropyParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        self.common().validate(task)
    }
}

/// The method `cross-entropy`.
#[derive(Debug)]
pub struct CrossEntropy;

impl Method for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn about(&self) -> &'static str {
        "softmax and cross-entropy with one-hot labels, no smoothing"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<CrossEntropyParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: CrossEntropyParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: CrossEntropyParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let logits = pass.logits(pass.features.clone());
            let loss = loss::cross_entropy(logits.clone(), training.targets(&step, 0.0));
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, None, |logits| logits)?;
        }
        Ok(())
    }
}
