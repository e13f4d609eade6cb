//! Reliability: how often predictions of each confidence are right.

use crate::board::Board;
use crate::error::ReportError;
use crate::frame::Series;

/// One method on one task, over all predictions of all its runs.
pub(crate) struct Reliability {
    /// Position of the method on the board.
    pub(crate) method: usize,
    /// Runs that recorded their bins.
    pub(crate) runs: usize,
    /// By ascending confidence; empty bins too.
    pub(crate) bins: Vec<Bin>,
}

/// Predictions of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bin {
    /// Mean confidence, in [0, 1]; 0 in an empty bin.
    pub(crate) confidence: f64,
    /// Share of right ones; 0 in an empty bin.
    pub(crate) accuracy: f64,
    /// Share of all predictions.
    pub(crate) share: f64,
}

/// What a run's bins hold, in three series.
struct Recorded {
    confidence: Vec<Series>,
    accuracy: Vec<Series>,
    count: Vec<Series>,
}

/// The reliability of each method at the last evaluation, by task of the board; methods that recorded none have no entry.
pub(crate) fn reliability(board: &Board<'_>) -> Result<Vec<Vec<Reliability>>, ReportError> {
    let recorded = Recorded {
        confidence: board.series("calibration/confidence")?,
        accuracy: board.series("calibration/accuracy")?,
        count: board.series("calibration/count")?,
    };
    let of_task = |task: usize| {
        let of_method = |method: usize| {
            let runs: Vec<usize> = board
                .runs_of(task, method)
                .filter(|run| recorded.last(*run).is_some())
                .collect();
            let bins = pooled(runs.iter().filter_map(|run| recorded.last(*run)));
            (!bins.is_empty()).then_some(Reliability {
                method,
                runs: runs.len(),
                bins,
            })
        };
        (0..board.methods.len()).filter_map(of_method).collect()
    };
    Ok((0..board.tasks.len()).map(of_task).collect())
}

impl Recorded {
    /// Confidence, accuracy and count of each bin at a run's last evaluation; `None` where one of them is missing.
    fn last(&self, run: usize) -> Option<Vec<(f64, f64, f64)>> {
        let (_, confidence) = self.confidence[run].last()?;
        let (_, accuracy) = self.accuracy[run].last()?;
        let (_, count) = self.count[run].last()?;
        let bins = confidence.iter().zip(accuracy).zip(count);
        Some(bins.map(|((c, a), n)| (*c, *a, *n)).collect())
    }
}

/// The bins of several runs as one: means weighted by the number of predictions. Empty without a prediction.
fn pooled(runs: impl Iterator<Item = Vec<(f64, f64, f64)>>) -> Vec<Bin> {
    // Sums of confidences and of right predictions, and the number of predictions.
    let mut sums: Vec<(f64, f64, f64)> = Vec::new();
    for run in runs {
        sums.resize(sums.len().max(run.len()), (0.0, 0.0, 0.0));
        for (sum, (confidence, accuracy, count)) in sums.iter_mut().zip(run) {
            sum.0 += confidence * count;
            sum.1 += accuracy * count;
            sum.2 += count;
        }
    }
    let all: f64 = sums.iter().map(|(_, _, count)| count).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let bin = |(confidence, right, count): (f64, f64, f64)| {
        if count > 0.0 {
            Bin {
                confidence: confidence / count,
                accuracy: right / count,
                share: count / all,
            }
        } else {
            Bin {
                confidence: 0.0,
                accuracy: 0.0,
                share: 0.0,
            }
        }
    };
    sums.into_iter().map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_weigh_as_much_as_they_predict() {
        let bins = pooled(
            [
                vec![(0.0, 0.0, 0.0), (0.9, 1.0, 1.0), (0.0, 0.0, 0.0)],
                vec![(0.2, 0.5, 4.0), (0.8, 0.0, 3.0), (0.0, 0.0, 0.0)],
            ]
            .into_iter(),
        );
        let expected = [(0.2, 0.5, 0.5), (0.825, 0.25, 0.5), (0.0, 0.0, 0.0)];
        for (bin, (confidence, accuracy, share)) in bins.iter().zip(expected) {
            assert!((bin.confidence - confidence).abs() < 1e-12, "{bin:?}");
            assert!((bin.accuracy - accuracy).abs() < 1e-12, "{bin:?}");
            assert!((bin.share - share).abs() < 1e-12, "{bin:?}");
        }
        assert!(pooled([vec![(0.0, 0.0, 0.0)]].into_iter()).is_empty());
        assert!(pooled(std::iter::empty()).is_empty());
    }
}
