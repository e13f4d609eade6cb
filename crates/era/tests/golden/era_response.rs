//! The activation for language models against the official `DataParallelPPOActor.update_policy` (`ERA-LLM/verl/workers/actor/dp_actor.py`,
//! fidelity `official-code`) and against the formula in PyTorch 2.13.0, both in float64 on the CPU.

use crate::{Array, assert_close, fixture};
use era::{
    EntropyBand, Fidelity, ResponseEra, ResponseEraConfig, ScaledBatch, Scope, Vocabulary,
    token_entropies,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    expected_drift_per_unit_advantage: Vec<Drift>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "T")]
    pub(crate) positions: usize,
    #[serde(rename = "V")]
    pub(crate) vocabulary: usize,
    k: f64,
    w_low: f64,
    w_high: f64,
    top_frac: f64,
    pub(crate) logits: Array,
    /// 1 for the tokens of a response, then 0.
    mask: Array<u8>,
    pub(crate) actions: Array<usize>,
    /// One for each response.
    pub(crate) advantages: Array,
    pub(crate) old_log_prob_off_policy: Array,
    /// 0 in padding, as the arrays `log_prob`, `logit_scale`, `adv_scaled` of a variant.
    entropy: Array,
    k_tok: Array<usize>,
    #[serde(rename = "H_resp")]
    response_entropy: Array,
    top_mask: Array<bool>,
    low: Array<bool>,
    high: Array<bool>,
    official_low: Array<bool>,
    official_high: Array<bool>,
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
pub(crate) struct Variant {
    fidelity: String,
    adv_scale: bool,
    topk_vocab: bool,
    pub(crate) on_policy: bool,
    clip_low: f64,
    clip_high: f64,
    clip_c: f64,
    pub(crate) logit_scale: Array,
    pub(crate) adv_scaled: Array,
    pub(crate) log_prob: Array,
    loss: f64,
    loss_reinforce: f64,
    /// Left out for four variants of the largest case, to keep the file small.
    pub(crate) grad: Option<Array>,
}

#[derive(Deserialize)]
struct Drift {
    z: Array,
    k: f64,
    low: Array,
    high: Array,
}

impl Case {
    fn era(&self, fidelity: Fidelity, scope: Scope, scale_advantages: bool) -> ResponseEra {
        ResponseEra::new(ResponseEraConfig {
            entropy_low: self.w_low,
            entropy_high: self.w_high,
            k: self.k,
            top_fraction: self.top_frac,
            scope,
            scale_advantages,
            fidelity,
        })
        .expect("the case is valid")
    }

    pub(crate) fn lengths(&self) -> Vec<usize> {
        let rows = self.mask.data.chunks(self.positions);
        rows.map(|row| row.iter().filter(|inside| **inside == 1).count())
            .collect()
    }

    fn entropies(&self) -> Vec<f64> {
        let mut entropies = vec![f64::NAN; self.mask.data.len()];
        token_entropies(&self.logits.data, self.vocabulary, &mut entropies);
        entropies
    }

    /// The indices of all tokens that are no padding.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = usize> + Clone {
        (0..self.mask.data.len()).filter(|i| self.mask.data[*i] == 1)
    }

    fn logits(&self, token: usize) -> &[f64] {
        &self.logits.data[token * self.vocabulary..][..self.vocabulary]
    }

    fn scaled(&self, era: &ResponseEra) -> ScaledBatch {
        let advantages: Vec<f64> = (0..self.mask.data.len())
            .map(|i| self.advantages.data[i / self.positions])
            .collect();
        era.scale_batch(&self.lengths(), &self.entropies(), &advantages)
    }
}

impl Variant {
    pub(crate) fn era(&self, case: &Case) -> ResponseEra {
        let (fidelity, scope) = match self.fidelity.as_str() {
            "formula" => (Fidelity::Formula, Scope::Response),
            "formula-top20" => (Fidelity::Formula, Scope::TopTokens),
            "official-code" => (Fidelity::Official, Scope::Response),
            other => panic!("unknown fidelity {other}"),
        };
        case.era(fidelity, scope, self.adv_scale)
    }

    pub(crate) fn vocabulary(&self) -> Vocabulary {
        if self.topk_vocab {
            Vocabulary::OFFICIAL
        } else {
            Vocabulary::Full
        }
    }

    fn label(&self) -> String {
        format!(
            "{}, scaled advantages {}, top 20 {}, on policy {}",
            self.fidelity, self.adv_scale, self.topk_vocab, self.on_policy
        )
    }

    /// The dual-clip PPO loss of one token and its derivative with respect to the log-probability: the larger of the plain and the
    /// clipped term, and at most `clip_c` |A| where A is negative.
    pub(crate) fn surrogate(&self, log_prob: f64, old: f64, advantage: f64) -> (f64, f64) {
        let difference = log_prob - old;
        let ratio = difference.clamp(-20.0, 20.0).exp();
        let (low, high) = (1.0 - self.clip_low, 1.0 + self.clip_high);
        let slope = if difference.abs() <= 20.0 {
            -advantage * ratio
        } else {
            0.0
        };
        let clipped_slope = if (low..=high).contains(&ratio) {
            slope
        } else {
            0.0
        };
        let plain = -advantage * ratio;
        let clipped = -advantage * ratio.clamp(low, high);
        let (loss, slope) = if plain >= clipped {
            (plain, slope)
        } else {
            (clipped, clipped_slope)
        };
        let most = -advantage * self.clip_c;
        if advantage < 0.0 && most < loss {
            (most, 0.0)
        } else {
            (loss, slope)
        }
    }
}

pub(crate) fn each(mut test: impl FnMut(&Case, &Variant, &str)) {
    let fixture: Fixture = fixture("era_response");
    let mut count = 0;
    for (index, case) in fixture.cases.iter().enumerate() {
        for variant in &case.variants {
            test(case, variant, &format!("case {index}, {}", variant.label()));
            count += 1;
        }
    }
    assert_eq!(count, 21);
}

fn log_probs(case: &Case, variant: &Variant, factors: &[f64]) -> Vec<f64> {
    let log_prob = |i: usize| {
        let token = case.actions.data[i];
        variant
            .vocabulary()
            .log_prob(case.logits(i), token, factors[i])
    };
    case.tokens().map(log_prob).collect()
}

#[test]
fn entropies_are_pytorchs_and_measured_on_the_same_tokens() {
    let fixture: Fixture = fixture("era_response");
    for case in &fixture.cases {
        let era = case.era(Fidelity::Formula, Scope::Response, true);
        let entropies = case.entropies();
        let pairs = case.tokens().map(|i| (entropies[i], case.entropy.data[i]));
        assert_close("token entropy", 1e-13, pairs);
        let rows = entropies.chunks(case.positions);
        for (i, (row, length)) in rows.zip(case.lengths()).enumerate() {
            let row = &row[..length];
            assert_eq!(era.top_count(length), case.k_tok.data[i]);
            let in_top = &case.top_mask.data[i * case.positions..][..case.positions];
            let expected: Vec<usize> = (0..case.positions).filter(|t| in_top[*t]).collect();
            assert_eq!(era.top_tokens(row), expected);
            let expected = case.response_entropy.data[i];
            assert_close("H_resp", 1e-13, [(era.response_entropy(row), expected)]);
        }
    }
}

#[test]
fn the_same_responses_are_flagged() {
    let fixture: Fixture = fixture("era_response");
    for case in &fixture.cases {
        for (fidelity, low, high) in [
            (Fidelity::Formula, &case.low, &case.high),
            (Fidelity::Official, &case.official_low, &case.official_high),
        ] {
            let era = case.era(fidelity, Scope::Response, true);
            for (i, advantage) in case.advantages.data.iter().enumerate() {
                let band = era.band(case.response_entropy.data[i]);
                let scaled = era.factors(band, *advantage).logits != 1.0;
                assert_eq!(scaled && band == EntropyBand::Low, low.data[i]);
                assert_eq!(scaled && band == EntropyBand::High, high.data[i]);
            }
        }
    }
}

#[test]
fn factors_advantages_and_log_probabilities_are_the_references() {
    each(|case, variant, label| {
        let scaled = case.scaled(&variant.era(case));
        let inside = |ours: &[f64], theirs: &Array| -> Vec<(f64, f64)> {
            case.tokens().map(|i| (ours[i], theirs.data[i])).collect()
        };
        let pairs = inside(&scaled.logit_factors, &variant.logit_scale);
        assert_close(&format!("factor, {label}"), 1e-15, pairs);
        let pairs = inside(&scaled.advantages, &variant.adv_scaled);
        assert_close(&format!("advantage, {label}"), 1e-15, pairs);
        let ours = log_probs(case, variant, &scaled.logit_factors);
        let theirs = case.tokens().map(|i| variant.log_prob.data[i]);
        let pairs = ours.into_iter().zip(theirs);
        assert_close(&format!("log-probability, {label}"), 1e-13, pairs);
    });
}

#[test]
fn losses_and_gradients_are_the_references() {
    let mut compared = 0;
    each(|case, variant, label| {
        let scaled = case.scaled(&variant.era(case));
        let log_probs = log_probs(case, variant, &scaled.logit_factors);
        let count = log_probs.len() as f64;
        let (mut loss, mut reinforce) = (0.0, 0.0);
        let mut grad = vec![0.0; case.logits.data.len()];
        for (i, log_prob) in case.tokens().zip(log_probs) {
            let advantage = scaled.advantages[i];
            let old = if variant.on_policy {
                log_prob
            } else {
                case.old_log_prob_off_policy.data[i]
            };
            let (value, slope) = variant.surrogate(log_prob, old, advantage);
            loss += value / count;
            reinforce -= advantage * log_prob / count;
            variant.vocabulary().log_prob_vjp(
                case.logits(i),
                case.actions.data[i],
                scaled.logit_factors[i],
                slope / count,
                &mut grad[i * case.vocabulary..][..case.vocabulary],
            );
        }
        let pairs = [(loss, variant.loss), (reinforce, variant.loss_reinforce)];
        assert_close(&format!("loss, {label}"), 1e-13, pairs);
        if let Some(theirs) = &variant.grad {
            assert_eq!(grad.len(), theirs.data.len());
            let pairs = grad.into_iter().zip(theirs.data.iter().copied());
            assert_close(&format!("gradient, {label}"), 1e-15, pairs);
            compared += 1;
        }
    });
    assert_eq!(compared, 17);
}

/// softmax(z) - softmax(z'), here as the mean gradient over the tokens drawn from softmax(z), all with advantage 1.
#[test]
fn the_expected_drift_is_the_references() {
    let fixture: Fixture = fixture("era_response");
    for drift in &fixture.expected_drift_per_unit_advantage {
        let z = &drift.z.data;
        let era = ResponseEra::new(ResponseEraConfig {
            k: drift.k,
            ..ResponseEraConfig::formula()
        })
        .unwrap();
        for (band, expected) in [
            (EntropyBand::Low, &drift.low),
            (EntropyBand::High, &drift.high),
        ] {
            let factors = era.factors(band, 1.0);
            let mut mean = vec![0.0; z.len()];
            let mut grad = mean.clone();
            for token in 0..z.len() {
                let drawn = Vocabulary::Full.log_prob(z, token, 1.0).exp();
                let upstream = drawn * factors.advantage;
                Vocabulary::Full.log_prob_vjp(z, token, factors.logits, upstream, &mut grad);
                mean.iter_mut().zip(&grad).for_each(|(mean, g)| *mean += g);
            }
            let pairs = mean.into_iter().zip(expected.data.iter().copied());
            assert_close("drift", 1e-15, pairs);
        }
    }
}

/// The burn adapter in f32: values and gradients of the mean loss of REINFORCE, whose upstream gradients are known.
#[cfg(feature = "burn")]
#[test]
fn the_adapter_agrees_with_the_reference() {
    use burn::tensor::{Device, Tensor, TensorData};
    each(|case, variant, label| {
        let scaled = case.scaled(&variant.era(case));
        let tokens: Vec<usize> = case.tokens().collect();
        let pick = |all: &[f64]| -> Vec<f64> { tokens.iter().map(|i| all[*i]).collect() };
        let (factors, advantages) = (pick(&scaled.logit_factors), pick(&scaled.advantages));
        let taken: Vec<usize> = tokens.iter().map(|i| case.actions.data[*i]).collect();
        let raw: Vec<f32> = tokens
            .iter()
            .flat_map(|i| case.logits(*i))
            .map(|z| *z as f32)
            .collect();
        let device = Device::flex().autodiff();
        let shape = [tokens.len(), case.vocabulary];
        let logits = Tensor::<2>::from_data(TensorData::new(raw.clone(), shape), &device);
        let logits = logits.require_grad();
        let vocabulary = variant.vocabulary();
        let ours = era::burn::log_probs(logits.clone(), &taken, &factors, vocabulary);
        let values: Vec<f64> = ours.clone().into_data().iter::<f64>().collect();
        let theirs = pick(&variant.log_prob.data);
        // The logits are rounded to f32 and multiplied by up to k.
        let pairs = values.into_iter().zip(theirs);
        assert_close(&format!("adapter, {label}"), 1e-5, pairs);
        let weights: Vec<f32> = advantages.iter().map(|a| -*a as f32).collect();
        let count = tokens.len();
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [count]), &device);
        let grads = ((ours * weights).sum() / count as f64).backward();
        let grads = logits.grad(&grads).expect("the logits are tracked");
        let grads: Vec<f64> = grads.into_data().iter::<f64>().collect();
        let mut expected = vec![0.0; grads.len()];
        for (at, grad) in expected.chunks_mut(case.vocabulary).enumerate() {
            let row = &raw[at * case.vocabulary..][..case.vocabulary];
            let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
            let upstream = -advantages[at] / count as f64;
            vocabulary.log_prob_vjp(&row, taken[at], factors[at], upstream, grad);
        }
        let pairs = grads.into_iter().zip(expected);
        assert_close(&format!("adapter's gradient, {label}"), 1e-6, pairs);
    });
}
