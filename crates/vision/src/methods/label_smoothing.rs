//! Label smoothing (Szegedy et al. 2016): cross-entropy with a share of every label spread over all classes.
//!
//! `docs/algorithms/label-smoothing.md` says what is recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `label-smoothing`.
    LabelSmoothingParams {
        /// Share of a label that is spread evenly over all classes, its own included (as in PyTorch and timm). 0.1, 0.2 and 0.3 in the
        /// paper.
        smoothing: f64 = 0.1,
    }
}

impl ParamSet for LabelSmoothingParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::below_one("smoothing", self.smoothing)?;
        self.common().validate(task)
    }
}

/// The method `label-smoothing`.
#[derive(Debug)]
pub struct LabelSmoothing;

impl Method for LabelSmoothing {
    fn name(&self) -> &'static str {
        "label-smoothing"
    }

    fn about(&self) -> &'static str {
        "cross-entropy with smoothed labels"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<LabelSmoothingParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: LabelSmoothingParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: LabelSmoothingParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let logits = pass.logits(pass.features.clone());
            let targets = training.targets(&step, params.smoothing);
            let loss = loss::cross_entropy(logits.clone(), targets);
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, None, |logits| logits)?;
        }
        Ok(())
    }
}
