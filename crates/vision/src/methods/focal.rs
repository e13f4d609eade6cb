//! Focal loss (Lin et al. 2017), which Mukhoti et al. (2020) show to raise the entropy of predictions and to calibrate them.
//!
//! `docs/algorithms/focal.md` says what is recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `focal`.
    FocalParams {
        /// γ: a sample whose label has probability p weighs (1 - p)^γ. 2 in Lin et al.
        gamma: f64 = 2.0,
    }
}

impl ParamSet for FocalParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::between("gamma", self.gamma, 0.0, 10.0)?;
        self.common().validate(task)
    }
}

/// The method `focal`.
#[derive(Debug)]
pub struct Focal;

impl Method for Focal {
    fn name(&self) -> &'static str {
        "focal"
    }

    fn about(&self) -> &'static str {
        "focal loss: well-classified samples weigh less"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<FocalParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: FocalParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: FocalParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let logits = pass.logits(pass.features.clone());
            let loss = loss::focal(logits.clone(), training.targets(&step, 0.0), params.gamma);
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, None, |logits| logits)?;
        }
        Ok(())
    }
}
