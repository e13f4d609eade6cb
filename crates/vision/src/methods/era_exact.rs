//! ERA for classification (Kang et al., arXiv 2510.08549): an activation on the logits that bounds the entropy of the predictions from
//! below, with the exact inverse, for which the bound is proven; then plain cross-entropy, with no term for the entropy.
//!
//! The activation is the model's last layer: it acts in training and in evaluation (`timm/models/resnet.py` of the official code).
//! `docs/algorithms/era-exact.md` says what is recorded.

use ::era::{Inverse, SoftmaxEra, SoftmaxEraConfig};
use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use crate::loss;
use crate::params::{self, parameters};
use crate::tasks;
use crate::training::Training;

parameters! {
    /// Parameters of `era-exact`.
    EraExactParams {
        /// H₀, the least entropy of a prediction in nats. 0.6 is the official default (`train.py --H_min`).
        target_entropy: f64 = 0.6,
        /// τ, at least e. 4 in the official code.
        tau: f64 = 4.0,
    }
}

impl ParamSet for EraExactParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        if let Some(classes) = tasks::find(task).and_then(|task| task.classes) {
            let checked = self.activation(classes);
            checked.map_err(|error| params::range("target_entropy", error.to_string()))?;
        }
        self.common().validate(task)
    }
}

/// The method `era-exact`.
#[derive(Debug)]
pub struct EraExact;

impl Method for EraExact {
    fn name(&self) -> &'static str {
        "era-exact"
    }

    fn about(&self) -> &'static str {
        "cross-entropy behind ERA's activation, with the exact inverse, for which the bound is proven"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<EraExactParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: EraExactParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: EraExactParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        let era = params.activation(training.classes);
        let era = era.map_err(|error| TrainError::Other(error.to_string()))?;
        let (bound, era) = (
            Some(params.target_entropy),
            ::era::burn::SoftmaxEra::new(era),
        );
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let logits = era.logits(pass.logits(pass.features.clone()));
            let loss = loss::cross_entropy(logits.clone(), training.targets(&step, 0.0));
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, bound, |raw| era.logits(raw))?;
        }
        Ok(())
    }
}

impl EraExactParams {
    /// The activation for this number of classes.
    fn activation(&self, classes: usize) -> Result<SoftmaxEra, ::era::Error> {
        SoftmaxEra::new(SoftmaxEraConfig {
            classes,
            target_entropy: self.target_entropy,
            tau: self.tau,
            inverse: Inverse::Exact,
        })
    }
}
