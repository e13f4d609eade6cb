//! The learning rate over a run.

use crate::params::Common;

/// A linear rise, then half a cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    warmup: f64,
    total: f64,
    start: f64,
    peak: f64,
    end: f64,
}

impl Schedule {
    /// For a run with so many updates an epoch. timm moves its rate once an epoch by default; here it moves with every update, as
    /// `torch.optim.lr_scheduler.CosineAnnealingLR` does when stepped so.
    pub(crate) fn new(params: &Common, updates_per_epoch: u64) -> Self {
        let each = updates_per_epoch as f64;
        Self {
            warmup: params.warmup_epochs * each,
            total: params.epochs as f64 * each,
            start: params.warmup_learning_rate,
            peak: params.learning_rate,
            end: params.final_learning_rate,
        }
    }

    /// The learning rate of the update after `done` updates.
    pub(crate) fn at(&self, done: u64) -> f64 {
        let done = done as f64;
        if done < self.warmup {
            return self.start + (self.peak - self.start) * done / self.warmup;
        }
        let share = (done - self.warmup) / (self.total - self.warmup);
        self.end + (self.peak - self.end) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn it_rises_linearly_and_falls_as_a_cosine() {
        let schedule = Schedule {
            warmup: 10.0,
            total: 110.0,
            start: 0.01,
            peak: 0.11,
            end: 0.01,
        };
        let close = |done: u64, rate: f64| {
            assert!(
                (schedule.at(done) - rate).abs() < 1e-12,
                "{done}: {}",
                schedule.at(done)
            );
        };
        close(0, 0.01);
        close(5, 0.06);
        close(10, 0.11);
        close(60, 0.06); // half way
        close(110, 0.01);
        let without = Schedule {
            warmup: 0.0,
            ..schedule
        };
        assert_eq!(without.at(0), 0.11);
    }
}
