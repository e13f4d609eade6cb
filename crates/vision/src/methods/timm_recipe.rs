//! What timm's `train.py`, and with it the paper's command line, does when told nothing about labels: they are smoothed by 0.1.
//!
//! The paper's plain baseline may have been this (its label smoothing of 0.1 plots on the baseline's line). It is label smoothing with
//! another name, so that no table takes it for the plain baseline; `docs/algorithms/timm-recipe.md`.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `timm-recipe`.
    TimmRecipeParams {
        /// Share of a label that is spread evenly over all classes: timm's default.
        smoothing: f64 = 0.1,
    }
}

impl ParamSet for TimmRecipeParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::below_one("smoothing", self.smoothing)?;
        self.common().validate(task)
    }
}

/// The method `timm-recipe`.
#[derive(Debug)]
pub struct TimmRecipe;

impl Method for TimmRecipe {
    fn name(&self) -> &'static str {
        "timm-recipe"
    }

    fn about(&self) -> &'static str {
        "cross-entropy as timm's train.py has it when told nothing: labels smoothed by 0.1"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<TimmRecipeParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: TimmRecipeParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: TimmRecipeParams = params::of(cell)?;
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
