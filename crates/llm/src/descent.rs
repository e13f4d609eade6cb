//! From a batch of answers to a gradient: in one pass, or in parts where memory is short.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::batch::{Aggregation, Batch, Lengths, ShapeError, Tokens};
use crate::kl::Kl;
use crate::model::{ConfigError, Pass, Policy};
use crate::rollout::{Rollout, Sequences, split};

/// Why there is no gradient. Neither happens with answers that were sampled here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescentError {
    /// Slices that do not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Tokens that the model does not know.
    #[error(transparent)]
    Model(#[from] ConfigError),
}

/// What a loss makes of answers: its value and its slopes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slopes {
    /// The loss.
    pub(crate) loss: f64,
    /// Its derivative with respect to each token's log-probability.
    pub(crate) log_prob: Vec<f64>,
    /// That with respect to the entropy of each token's distribution; empty for none.
    pub(crate) entropy: Vec<f64>,
    /// Share of tokens that were clipped.
    pub(crate) clip_fraction: f64,
}

/// Answers that are differentiated together.
pub(crate) struct Part<'a> {
    laid: Sequences,
    pass: Pass<'a>,
    temperature: f64,
    /// Whether the present policy is the one that wrote the answers.
    on_policy: bool,
    log_prob: Vec<f64>,
    old_log_prob: Vec<f64>,
    advantage: Vec<f64>,
}

impl Part<'_> {
    /// How long the answers are.
    pub(crate) fn lengths(&self) -> Lengths<'_> {
        self.laid.lengths()
    }

    /// The advantage of each token's answer.
    pub(crate) fn advantage(&self) -> &[f64] {
        &self.advantage
    }

    /// The entropy of each token's distribution under the present parameters, in nats.
    pub(crate) fn entropies(&mut self) -> Vec<f64> {
        wide(&self.pass.entropies())
    }

    /// The tokens with log softmax(z)\[token\], now and when they were written.
    ///
    /// On-policy both are the same numbers, as verl computes them by the same code: the ratio is 1 and not nearly 1. Else the old one is
    /// what the sampler saw, which differs from what training sees by the last digits of 32-bit floats.
    pub(crate) fn batch(&mut self) -> Result<Batch<'_>, DescentError> {
        let ones = vec![1.0; self.laid.taken.len()];
        self.log_probs(&ones, None);
        let old = if self.on_policy {
            &self.log_prob
        } else {
            &self.old_log_prob
        };
        let tokens = Tokens {
            log_prob: &self.log_prob,
            old_log_prob: old,
            advantage: &self.advantage,
        };
        Ok(Batch::new(self.laid.lengths(), tokens)?)
    }

    /// log softmax(f z)\[token\] of each token, over the `top` largest logits where that is given. The slopes are taken back through
    /// the last ones that were asked for.
    pub(crate) fn log_probs(&mut self, factors: &[f64], top: Option<usize>) -> &[f64] {
        let scaled = factors
            .iter()
            .map(|factor| (factor / self.temperature) as f32);
        let scaled: Vec<f32> = scaled.collect();
        let found = self.pass.log_probs(&self.laid.taken, &scaled, top);
        self.log_prob = wide(&found);
        &self.log_prob
    }

    fn backward(self, slopes: &Slopes, weight: f64) -> Vec<Tensor<3>> {
        let narrow = |values: &[f64]| -> Vec<f32> {
            values.iter().map(|value| (value * weight) as f32).collect()
        };
        let entropy = if slopes.entropy.is_empty() {
            vec![0.0; slopes.log_prob.len()]
        } else {
            narrow(&slopes.entropy)
        };
        self.pass.backward(&narrow(&slopes.log_prob), &entropy)
    }
}

/// A batch of a rollout, and how it is to be taken.
pub(crate) struct Descent<'a> {
    pub(crate) policy: &'a Policy,
    /// The starting policy, and the weight of the divergence from it; not looked at where that is 0.
    pub(crate) start: &'a Policy,
    pub(crate) kl_coefficient: f64,
    pub(crate) temperature: f64,
    /// Answers of a part at most; 0 for all.
    pub(crate) micro_batch: usize,
    pub(crate) aggregation: Aggregation,
    pub(crate) rollout: &'a Rollout,
    /// One an answer of the rollout.
    pub(crate) advantages: &'a [f64],
    /// The groups that are learnt from.
    pub(crate) groups: Range<usize>,
}

/// A gradient and what was seen on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gradient {
    pub(crate) loss: f64,
    pub(crate) clip_fraction: f64,
    pub(crate) of: Vec<Tensor<3>>,
}

impl Gradient {
    fn add(&mut self, part: Part<'_>, slopes: &Slopes, weight: f64) {
        let of = part.backward(slopes, weight);
        self.of = if self.of.is_empty() {
            of
        } else {
            let sums = std::mem::take(&mut self.of).into_iter().zip(of);
            sums.map(|(sum, part)| sum + part).collect()
        };
    }
}

impl Descent<'_> {
    /// The gradient of a loss that is a mean over tokens or answers, in which no token's part depends on the others: `slopes` is
    /// asked for each part alone.
    pub(crate) fn separable(
        &self,
        mut slopes: impl FnMut(&mut Part<'_>) -> Result<Slopes, DescentError>,
    ) -> Result<Gradient, DescentError> {
        let whole = Extent::of(&self.lay_out(&self.groups));
        let mut gradient = Gradient::default();
        for groups in self.parts() {
            let mut part = self.part(&groups)?;
            let share = Extent::of(&part.laid).share_of(whole, self.aggregation);
            let mut found = slopes(&mut part)?;
            self.regularise(&mut found, &part.laid, &part.log_prob)?;
            gradient.loss += share * found.loss;
            gradient.clip_fraction += share * found.clip_fraction;
            gradient.add(part, &found, share);
        }
        Ok(gradient)
    }

    /// The gradient of a loss in which tokens depend on one another: `slopes` is asked once, for all of them.
    pub(crate) fn coupled(
        &self,
        slopes: impl FnOnce(Batch<'_>) -> Slopes,
    ) -> Result<Gradient, DescentError> {
        let parts = self.parts();
        let mut gradient = Gradient::default();
        if let [groups] = &parts[..] {
            let mut part = self.part(groups)?;
            let mut found = slopes(part.batch()?);
            self.regularise(&mut found, &part.laid, &part.log_prob)?;
            (gradient.loss, gradient.clip_fraction) = (found.loss, found.clip_fraction);
            gradient.add(part, &found, 1.0);
            return Ok(gradient);
        }
        // First all log-probabilities, then the parts again with their slopes.
        let laid = self.lay_out(&self.groups);
        let (old, advantage) = self.told(&self.groups, &laid)?;
        let mut log_prob = Vec::with_capacity(laid.taken.len());
        for groups in &parts {
            log_prob.extend(self.log_probs_under(self.policy, &self.lay_out(groups))?);
        }
        let tokens = Tokens {
            log_prob: &log_prob,
            old_log_prob: if self.on_policy() { &log_prob } else { &old },
            advantage: &advantage,
        };
        let mut found = slopes(Batch::new(laid.lengths(), tokens)?);
        self.regularise(&mut found, &laid, &log_prob)?;
        (gradient.loss, gradient.clip_fraction) = (found.loss, found.clip_fraction);
        let mut first = 0;
        for groups in &parts {
            let mut part = self.part(groups)?;
            part.batch()?;
            let range = first..first + part.laid.taken.len();
            first = range.end;
            let own = Slopes {
                log_prob: found.log_prob[range].to_vec(),
                ..Slopes::default()
            };
            gradient.add(part, &own, 1.0);
        }
        Ok(gradient)
    }

    fn on_policy(&self) -> bool {
        self.groups.len() == self.rollout.groups.len()
    }

    fn lay_out(&self, groups: &Range<usize>) -> Sequences {
        Sequences::new(&self.rollout.groups[groups.clone()])
    }

    /// The groups in runs of at most `micro_batch` answers, but at least a group each.
    fn parts(&self) -> Vec<Range<usize>> {
        let answers = self.rollout.answers_of(&self.groups).len();
        let parts = match self.micro_batch {
            0 => 1,
            most => answers.div_ceil(most),
        };
        split(self.groups.clone(), parts.min(self.groups.len()))
    }

    fn part(&self, groups: &Range<usize>) -> Result<Part<'_>, DescentError> {
        let laid = self.lay_out(groups);
        let (old_log_prob, advantage) = self.told(groups, &laid)?;
        let pass = self.policy.forward(&laid.packed(self.policy.config())?);
        Ok(Part {
            laid,
            pass,
            temperature: self.temperature,
            on_policy: self.on_policy(),
            log_prob: Vec::new(),
            old_log_prob,
            advantage,
        })
    }

    /// The sampler's log-probabilities, and each token's advantage.
    fn told(
        &self,
        groups: &Range<usize>,
        laid: &Sequences,
    ) -> Result<(Vec<f64>, Vec<f64>), DescentError> {
        let answers = self.rollout.groups[groups.clone()]
            .iter()
            .flat_map(|group| &group.answers);
        let old = answers.flat_map(|answer| wide(&answer.response.log_probs));
        let advantages = &self.advantages[self.rollout.answers_of(groups)];
        Ok((old.collect(), laid.lengths().spread(advantages)?))
    }

    fn log_probs_under(&self, policy: &Policy, laid: &Sequences) -> Result<Vec<f64>, DescentError> {
        let factors = vec![(1.0 / self.temperature) as f32; laid.taken.len()];
        let packed = laid.packed(policy.config())?;
        Ok(wide(
            &policy
                .evaluate(&packed, &laid.taken, &factors, None)
                .log_probs,
        ))
    }

    /// Adds the divergence from the starting policy (k3) to a loss.
    fn regularise(
        &self,
        slopes: &mut Slopes,
        laid: &Sequences,
        log_prob: &[f64],
    ) -> Result<(), DescentError> {
        if self.kl_coefficient == 0.0 {
            return Ok(());
        }
        let reference = self.log_probs_under(self.start, laid)?;
        let mut gradient = Vec::new();
        let lengths = laid.lengths();
        let divergence = Kl::K3.evaluate(
            lengths,
            log_prob,
            &reference,
            self.aggregation,
            &mut gradient,
        )?;
        slopes.loss += self.kl_coefficient * divergence;
        for (slope, more) in slopes.log_prob.iter_mut().zip(gradient) {
            *slope += self.kl_coefficient * more;
        }
        Ok(())
    }
}

/// How much a loss is a mean of.
#[derive(Clone, Copy, Debug)]
struct Extent {
    tokens: f64,
    answers: f64,
}

impl Extent {
    fn of(laid: &Sequences) -> Self {
        Self {
            tokens: laid.taken.len() as f64,
            answers: laid.lengths.len() as f64,
        }
    }

    /// What a part's mean weighs in the whole's.
    fn share_of(self, whole: Self, aggregation: Aggregation) -> f64 {
        match aggregation {
            Aggregation::TokenMean => self.tokens / whole.tokens.max(1.0),
            Aggregation::SeqMeanTokenSum | Aggregation::SeqMeanTokenMean => {
                self.answers / whole.answers
            }
            // A sum over a constant.
            Aggregation::SeqMeanTokenSumNorm { .. } => 1.0,
        }
    }
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
