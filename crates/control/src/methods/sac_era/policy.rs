//! How the Gaussian that the activation gives is bounded to actions in (-1, 1).

use burn::tensor::{Tensor, TensorData};
use era::burn::{TanhNormal, TruncatedNormal};
use era_nn::{standard_normal, standard_uniform};
use rand_chacha::ChaCha8Rng;

use crate::probe::Family;

/// The policy's distribution. Means are those before tanh, all tensors `[B, act_dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// A normal distribution around tanh(mean), cut off outside the official code's support: +-(1 - 1e-6).
    TruncatedNormal,
    /// tanh of a normal distribution around the mean.
    TanhNormal,
}

impl Distribution {
    /// Draws what a sample is made from: uniforms for the inverse distribution function, or standard normals.
    pub(super) fn draw_noise(self, rng: &mut ChaCha8Rng, noise: &mut [f32]) {
        match self {
            Self::TruncatedNormal => standard_uniform(rng, noise),
            Self::TanhNormal => standard_normal(rng, noise),
        }
    }

    /// Actions for given noise.
    pub(super) fn sample(self, mean: Tensor<2>, log_std: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().sample(mean, log_std, noise),
            Self::TanhNormal => TanhNormal.sample(mean, log_std, noise),
        }
    }

    /// The action at evaluation.
    pub(super) fn mode(self, mean: Tensor<2>) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().mode(mean),
            Self::TanhNormal => TanhNormal.mode(mean),
        }
    }

    /// What a learned compensation takes for the entropy of each state, in nats, `[B, 1]`: exact for the truncated
    /// normal. A tanh-normal has no closed form, and quadrature makes every update half as long again (2.3 ms on top of
    /// 4.9, here 0.3; measured at 256 states, 6 dimensions and layers of 256); the negative log-density of one action a
    /// state is free of bias, and the batch and the small learning rate average its noise out.
    pub(super) fn entropy(
        self,
        mean: Tensor<2>,
        log_std: Tensor<2>,
        rng: &mut ChaCha8Rng,
    ) -> Tensor<2> {
        match self {
            Self::TruncatedNormal => TruncatedNormal::default().entropy(mean, log_std),
            Self::TanhNormal => {
                let [states, dims] = mean.dims();
                let mut noise = vec![0.0; states * dims];
                standard_normal(rng, &mut noise);
                let noise =
                    Tensor::from_data(TensorData::new(noise, [states, dims]), &mean.device());
                -TanhNormal.sample_with_log_prob(mean, log_std, noise).1
            }
        }
    }

    /// What measures its entropy at an evaluation.
    pub(super) fn family(self) -> Family {
        match self {
            Self::TruncatedNormal => Family::TruncatedNormal,
            Self::TanhNormal => Family::TanhNormal,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use era_harness::seed::Streams;

    use super::*;
    use crate::store::floats;

    /// 4,096 equal states: the sampled entropy has a standard error of about 0.02 nats.
    #[test]
    fn both_entropies_are_those_of_the_reference() {
        let (mean, log_std) = (vec![0.3, -1.2], vec![-1.0, -0.4]);
        let rows = |row: &[f32]| {
            let data = TensorData::new(row.repeat(4096), [4096, 2]);
            Tensor::<2>::from_data(data, &Device::flex())
        };
        for (distribution, tolerance) in [
            (Distribution::TruncatedNormal, 1e-5),
            (Distribution::TanhNormal, 0.1),
        ] {
            let mut rng = Streams::new(7).at("compensation", 0);
            let entropies = distribution.entropy(rows(&mean), rows(&log_std), &mut rng);
            let found = floats(entropies.mean().into_data())[0];
            let each = |(mean, log_std): (&f32, &f32)| {
                let (mean, log_std) = (f64::from(*mean), f64::from(*log_std));
                match distribution {
                    Distribution::TruncatedNormal => {
                        era::TruncatedNormal::default().entropy(mean, log_std).value
                    }
                    Distribution::TanhNormal => era::TanhNormal.entropy(mean, log_std).value,
                }
            };
            let expected: f64 = mean.iter().zip(&log_std).map(each).sum();
            assert!(
                (f64::from(found) - expected).abs() < tolerance,
                "{distribution:?}: {found} instead of {expected}"
            );
        }
    }
}
