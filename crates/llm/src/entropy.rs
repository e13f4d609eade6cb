//! The entropy of a token's distribution over the vocabulary, softmax(z), and the bonus that a loss can pay for it.

use crate::batch::{Aggregation, Lengths, ShapeError};

/// log softmax(z) of a row of logits. -inf is a token that cannot come; with none left, and with +inf, all is NaN.
pub fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
    let log_total = total.ln();
    logits.iter().map(|z| z - largest - log_total).collect()
}

/// H = -Σ p log p of softmax(z), in nats, between 0 and the logarithm of the vocabulary's size; 0 of no logits.
pub fn entropy(logits: &[f64]) -> f64 {
    of_log_probs(&log_softmax(logits))
}

fn of_log_probs(log_probs: &[f64]) -> f64 {
    -log_probs.iter().map(|l| times_exp(*l, *l)).sum::<f64>()
}

/// `factor` e^`log_prob`, where a token that cannot come adds nothing: 0 · ∞ is 0 here.
fn times_exp(factor: f64, log_prob: f64) -> f64 {
    if log_prob == f64::NEG_INFINITY {
        0.0
    } else {
        factor * log_prob.exp()
    }
}

/// -coefficient times the entropy, to be added to a policy's loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntropyBonus {
    /// Weight, at least 0. The ERA paper's runs have 0.
    pub coefficient: f64,
    /// How the tokens' entropies become one; verl takes that of the policy's loss.
    pub aggregation: Aggregation,
}

/// What a batch showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EntropyReport {
    /// -coefficient · entropy.
    pub loss: f64,
    /// The tokens' entropies, aggregated; in nats.
    pub entropy: f64,
}

impl EntropyBonus {
    /// The bonus of a batch, from its `logits`, `[N, vocabulary]`; its gradient with respect to them is **added** to `gradient`, as large:
    /// with a token's weight w in the aggregation, coefficient · w · p_j (log p_j + H).
    ///
    /// # Errors
    /// `logits` or `gradient` do not have N · `vocabulary` values.
    pub fn evaluate(
        &self,
        lengths: Lengths<'_>,
        logits: &[f64],
        vocabulary: usize,
        gradient: &mut [f64],
    ) -> Result<EntropyReport, ShapeError> {
        let expected = lengths.tokens().saturating_mul(vocabulary);
        ShapeError::check("logits", logits.len(), expected)?;
        ShapeError::check("gradients", gradient.len(), expected)?;
        // Rows of an empty vocabulary would be of no length.
        let width = vocabulary.max(1);
        let rows = logits
            .chunks_exact(width)
            .zip(gradient.chunks_exact_mut(width));
        let mut total = 0.0;
        for ((logits, gradient), weight) in rows.zip(self.aggregation.token_weights(lengths)) {
            let log_probs = log_softmax(logits);
            let entropy = of_log_probs(&log_probs);
            total += weight * entropy;
            let scale = self.coefficient * weight;
            for (slope, log_prob) in gradient.iter_mut().zip(&log_probs) {
                *slope += scale * times_exp(log_prob + entropy, *log_prob);
            }
        }
        Ok(EntropyReport {
            loss: -self.coefficient * total,
            entropy: total,
        })
    }
}

#[cfg(test)]
mod tests;
