//! What a classifier's predictions are judged by, in `f64`.

/// Bins of the calibration error: of equal width in confidence (Guo et al. 2017 use 15).
pub const BINS: usize = 15;

/// What the rounding of 32-bit logits may take from an entropy, in nats.
const ROUNDING: f64 = 1e-6;

/// Sums over predictions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    count: usize,
    top1: usize,
    top5: usize,
    nll: f64,
    brier: f64,
    confidence: f64,
    entropy: f64,
    entropy_min: Option<f64>,
    /// Predictions with less entropy than the bound.
    below: usize,
    bound: Option<f64>,
    bins: [Bin; BINS],
}

/// Predictions of about the same confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Number of predictions.
    pub count: usize,
    /// Sum of their confidences: the largest probability of each.
    pub confidence: f64,
    /// Number of right ones.
    pub right: usize,
}

impl Predictions {
    /// None yet. With `bound`, the entropy (nats) that a method guarantees, what lies below is counted.
    pub fn new(bound: Option<f64>) -> Self {
        Self {
            bound,
            ..Self::default()
        }
    }

    /// Adds predictions, the softmax of rows of `classes` logits.
    pub fn add(&mut self, logits: &[f32], classes: usize, labels: &[usize]) {
        let mut log_p = Vec::with_capacity(classes);
        for (row, label) in logits.chunks_exact(classes).zip(labels) {
            log_softmax(row, &mut log_p);
            self.add_one(row, &log_p, *label);
        }
    }

    fn add_one(&mut self, logits: &[f32], log_p: &[f64], label: usize) {
        // A class counts as ranked above the label where its logit is larger, or equal and its number smaller: what a stable sort
        // gives, so that a constant classifier does not count as right.
        let above = |class: usize, logit: f32| {
            logit > logits[label] || (logit == logits[label] && class < label)
        };
        let rank = logits
            .iter()
            .enumerate()
            .filter(|(class, logit)| above(*class, **logit))
            .count();
        let largest = log_p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (confidence, right) = (largest.exp(), rank == 0);
        let (mut entropy, mut squares) = (0.0, 0.0);
        for (class, log) in log_p.iter().enumerate() {
            let p = log.exp();
            entropy -= if p > 0.0 { p * log } else { 0.0 };
            let miss = p - f64::from(u8::from(class == label));
            squares += miss * miss;
        }
        self.count += 1;
        self.top1 += usize::from(right);
        self.top5 += usize::from(rank < 5);
        self.nll -= log_p[label];
        self.brier += squares;
        self.confidence += confidence;
        self.entropy += entropy;
        self.entropy_min = Some(self.entropy_min.map_or(entropy, |least| least.min(entropy)));
        self.below += usize::from(self.bound.is_some_and(|bound| entropy < bound - ROUNDING));
        // Bin k holds confidences in (k / 15, (k + 1) / 15].
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut self.bins[bin];
        bin.count += 1;
        bin.confidence += confidence;
        bin.right += usize::from(right);
    }

    /// The share of right first choices.
    pub fn top1(&self) -> f64 {
        self.mean(self.top1 as f64)
    }

    /// The smallest entropy, in nats.
    pub fn entropy_min(&self) -> f64 {
        self.entropy_min.unwrap_or(0.0)
    }

    /// Expected calibration error: over bins, the share of predictions times the distance of mean confidence from accuracy.
    pub fn calibration_error(&self) -> f64 {
        let gap = |bin: &Bin| (bin.confidence - bin.right as f64).abs();
        self.mean(self.bins.iter().map(gap).sum())
    }

    /// The bins in order of confidence.
    pub fn bins(&self) -> &[Bin; BINS] {
        &self.bins
    }

    /// Everything by name, as it is recorded.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let mut metrics = vec![
            ("eval/top1", self.top1()),
            ("eval/top5", self.mean(self.top5 as f64)),
            ("eval/nll", self.mean(self.nll)),
            ("eval/ece", self.calibration_error()),
            ("eval/brier", self.mean(self.brier)),
            ("eval/confidence_mean", self.mean(self.confidence)),
            ("eval/entropy_mean", self.mean(self.entropy)),
            ("eval/entropy_min", self.entropy_min()),
        ];
        if let Some(bound) = self.bound {
            metrics.extend([
                ("eval/bound", bound),
                ("eval/bound_violations", self.mean(self.below as f64)),
            ]);
        }
        metrics
    }

    fn mean(&self, sum: f64) -> f64 {
        sum / self.count.max(1) as f64
    }
}

/// log softmax in `f64`.
fn log_softmax(logits: &[f32], out: &mut Vec<f64>) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    out.clear();
    out.extend(
        logits
            .iter()
            .map(|logit| f64::from(*logit) - f64::from(largest)),
    );
    let log_sum = out.iter().map(|x| x.exp()).sum::<f64>().ln();
    out.iter_mut().for_each(|x| *x -= log_sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(predictions: &Predictions, name: &str) -> f64 {
        let metrics = predictions.metrics();
        metrics
            .into_iter()
            .find(|(metric, _)| *metric == name)
            .map(|(_, value)| value)
            .unwrap()
    }

    #[test]
    fn two_predictions_by_hand() {
        // Probabilities 0.7, 0.2, 0.1 (right) and 0.5, 0.3, 0.2 (the label is the second).
        let logits: Vec<f32> = [0.7_f32, 0.2, 0.1, 0.5, 0.3, 0.2]
            .iter()
            .map(|p| p.ln())
            .collect();
        let mut found = Predictions::new(Some(0.9));
        found.add(&logits, 3, &[0, 1]);
        let close = |name: &str, expected: f64| {
            let value = metric(&found, name);
            assert!(
                (value - expected).abs() < 1e-6,
                "{name}: {value} instead of {expected}"
            );
        };
        close("eval/top1", 0.5);
        close("eval/top5", 1.0);
        close("eval/nll", -(0.7_f64.ln() + 0.3_f64.ln()) / 2.0);
        close(
            "eval/brier",
            ((0.09 + 0.04 + 0.01) + (0.25 + 0.49 + 0.04)) / 2.0,
        );
        close("eval/ece", (0.3 + 0.5) / 2.0);
        let entropies = [
            -(0.7 * 0.7_f64.ln() + 0.2 * 0.2_f64.ln() + 0.1 * 0.1_f64.ln()),
            -(0.5 * 0.5_f64.ln() + 0.3 * 0.3_f64.ln() + 0.2 * 0.2_f64.ln()),
        ];
        close("eval/entropy_mean", (entropies[0] + entropies[1]) / 2.0);
        close("eval/entropy_min", entropies[0]);
        close("eval/bound_violations", 0.5);
    }

    #[test]
    fn a_tie_is_not_counted_as_right_for_every_class() {
        let mut found = Predictions::new(None);
        found.add(&[0.0; 20], 10, &[0, 9]);
        assert_eq!(metric(&found, "eval/top1"), 0.5);
        assert_eq!(metric(&found, "eval/top5"), 0.5);
    }

    #[test]
    fn far_logits_stay_finite() {
        let mut found = Predictions::new(None);
        found.add(&[1e4, -1e4, 0.0], 3, &[1]);
        assert!(found.metrics().iter().all(|(_, value)| value.is_finite()));
        assert_eq!(metric(&found, "eval/nll"), 2e4);
        assert_eq!(metric(&found, "eval/entropy_min"), 0.0);
        assert_eq!(found.bins()[BINS - 1].count, 1);
    }
}
