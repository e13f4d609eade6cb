//! Dropout (Srivastava et al. 2014) on the pooled features before the classifier, where timm's `--drop` has it.
//!
//! `docs/algorithms/dropout.md` says what is recorded.

use burn::tensor::{Tensor, TensorData};
use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_nn::standard_uniform;
use rand_chacha::ChaCha8Rng;

use crate::loss;
use crate::params::{self, parameters};
use crate::training::Training;

parameters! {
    /// Parameters of `dropout`.
    DropoutParams {
        /// Probability that a feature is dropped. 0.1, 0.2 and 0.3 in the paper.
        dropout: f64 = 0.1,
    }
}

impl ParamSet for DropoutParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        params::below_one("dropout", self.dropout)?;
        self.common().validate(task)
    }
}

/// The method `dropout`.
#[derive(Debug)]
pub struct Dropout;

impl Method for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn about(&self) -> &'static str {
        "cross-entropy with dropout before the classifier"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<DropoutParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: DropoutParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: DropoutParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), run)?;
        while let Some(step) = training.next()? {
            let pass = training.forward(&step);
            let features = pass.features.clone();
            let kept = mask(
                features.dims(),
                params.dropout,
                &mut training.rng("dropout"),
            );
            let kept = Tensor::from_data(kept, &features.device());
            let logits = pass.logits(features * kept);
            let loss = loss::cross_entropy(logits.clone(), training.targets(&step, 0.0));
            training.descend(&step, pass, logits, &loss)?;
            training.end_step(run, None, |logits| logits)?;
        }
        Ok(())
    }
}

/// 0 with probability `dropout`, else 1 / (1 - dropout), so that the mean stays and evaluation needs no scale.
fn mask([samples, features]: [usize; 2], dropout: f64, rng: &mut ChaCha8Rng) -> TensorData {
    let mut values = vec![0.0_f32; samples * features];
    standard_uniform(rng, &mut values);
    let (dropped, scale) = (dropout as f32, (1.0 / (1.0 - dropout)) as f32);
    for x in &mut values {
        *x = if *x < dropped { 0.0 } else { scale };
    }
    TensorData::new(values, [samples, features])
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_mean_stays() {
        for dropout in [0.0, 0.1, 0.3] {
            let mask = mask([1000, 100], dropout, &mut ChaCha8Rng::seed_from_u64(0));
            let values: Vec<f32> = mask.try_into_vec().unwrap();
            let zeros = values.iter().filter(|x| **x == 0.0).count() as f64 / 1e5;
            let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / 1e5;
            // Five standard errors.
            assert!(
                (zeros - dropout).abs() < 0.0073 && (mean - 1.0).abs() < 0.011,
                "{dropout}: {zeros}, {mean}"
            );
        }
    }
}
