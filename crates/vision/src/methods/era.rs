//! ERA for classification (Kang et al., arXiv 2510.08549): an activation on the logits that bounds the entropy of the predictions from
//! below, with the approximate inverse of the authors' code; then plain cross-entropy, with no term for the entropy.
//!
//! The activation is the model's last layer: it acts in training and in evaluation (`timm/models/resnet.py` of the official code).
//! `docs/algorithms/era.md` says what is recorded.

use ::era::burn::SoftmaxEra as Activation;
use ::era::{Inverse, SoftmaxEra, SoftmaxEraConfig};
use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::tasks;
use crate::training::{Step, Training};

parameters! {
    /// Parameters of `era`.
    EraParams {
        /// H₀, the least entropy of a prediction in nats. 0.6 is the official default (`train.py --H_min`).
        target_entropy: f64 = 0.6,
        /// τ, at least e. 4 in the official code.
        tau: f64 = 4.0,
    }
}

impl ParamSet for EraParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        if let Some(classes) = tasks::find(task).and_then(|task| task.classes) {
            let checked = self.activation(classes);
            checked.map_err(|error| params::range("target_entropy", error.to_string()))?;
        }
        self.common().validate(task)
    }
}

/// The method `era`.
#[derive(Debug)]
pub struct Era;

impl Method for Era {
    fn name(&self) -> &'static str {
        "era"
    }

    fn about(&self) -> &'static str {
        "cross-entropy behind ERA's activation, with the approximate inverse of the authors' code"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<EraParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: EraParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: EraParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        let era = params.activation(training.classes);
        let era = era.map_err(|error| TrainError::Other(error.to_string()))?;
        let (bound, era) = (Some(params.target_entropy), Activation::new(era));
        while let Some(step) = training.next()? {
            descend(&mut training, &era, &step)?;
            training.end_step(run, bound, |raw| era.logits(raw))?;
        }
        Ok(())
    }
}

/// One update, behind the activation. Gives the loss before it.
pub(crate) fn descend(
    training: &mut Training,
    era: &Activation,
    step: &Step,
) -> Result<f64, TrainError> {
    let pass = training.forward(step);
    let logits = era.logits(pass.logits(pass.features.clone()));
    let loss = loss::cross_entropy(logits.clone(), training.targets(step, 0.0));
    training.descend(step, pass, logits, &loss)
}

impl EraParams {
    /// The activation for this number of classes.
    pub(crate) fn activation(&self, classes: usize) -> Result<SoftmaxEra, ::era::Error> {
        SoftmaxEra::new(SoftmaxEraConfig {
            classes,
            target_entropy: self.target_entropy,
            tau: self.tau,
            inverse: Inverse::Approximate,
        })
    }
}
