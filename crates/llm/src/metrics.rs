//! What sampled answers show: rewards, entropies, lengths, pass@k.

use std::time::{Duration, Instant};

use era::{EntropyBand, ResponseEra};
use era_stats::pass::{Answers, mean_pass_at};

use crate::descent::wide;
use crate::rollout::{Answer, Group};

/// The k of pass@k, as in the paper's figure.
pub(crate) const ATTEMPTS: [u64; 6] = [1, 2, 4, 8, 16, 32];

/// Names of pass@k in records.
const PASS: [&str; 6] = [
    "eval/pass@1",
    "eval/pass@2",
    "eval/pass@4",
    "eval/pass@8",
    "eval/pass@16",
    "eval/pass@32",
];

/// Sums over answers.
#[derive(Clone, Debug)]
pub(crate) struct Sampled {
    era: ResponseEra,
    answers: f64,
    tokens: f64,
    right: f64,
    score: f64,
    stopped: f64,
    /// Over tokens.
    entropy: f64,
    /// H_resp, over answers.
    response_entropy: f64,
    low: f64,
    high: f64,
    groups: f64,
    silent: f64,
    problems: Vec<Answers>,
}

impl Sampled {
    /// Nothing yet. `era` has the thresholds on H_resp.
    pub(crate) fn new(era: ResponseEra) -> Self {
        Self {
            era,
            answers: 0.0,
            tokens: 0.0,
            right: 0.0,
            score: 0.0,
            stopped: 0.0,
            entropy: 0.0,
            response_entropy: 0.0,
            low: 0.0,
            high: 0.0,
            groups: 0.0,
            silent: 0.0,
            problems: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, groups: &[Group]) {
        for group in groups {
            self.groups += 1.0;
            self.silent += f64::from(u8::from(!group.teaches()));
            let right = group.answers.iter().filter(|answer| answer.right).count();
            self.problems.push(Answers {
                drawn: group.answers.len() as u64,
                right: right as u64,
            });
            group
                .answers
                .iter()
                .for_each(|answer| self.add_answer(answer));
        }
    }

    fn add_answer(&mut self, answer: &Answer) {
        let entropies = wide(&answer.response.entropies);
        let entropy = self.era.response_entropy(&entropies);
        self.answers += 1.0;
        self.tokens += entropies.len() as f64;
        self.right += f64::from(u8::from(answer.right));
        self.score += answer.score();
        self.stopped += f64::from(u8::from(answer.response.stopped));
        self.entropy += entropies.iter().sum::<f64>();
        // An answer without a token has no entropy; none is sampled.
        self.response_entropy += if entropies.is_empty() { 0.0 } else { entropy };
        match self.era.band(entropy) {
            EntropyBand::Low => self.low += 1.0,
            EntropyBand::Within => {}
            EntropyBand::High => self.high += 1.0,
        }
    }

    /// Mean entropy of a token's distribution, in nats.
    pub(crate) fn entropy(&self) -> f64 {
        self.entropy / self.tokens.max(1.0)
    }

    /// Share of right answers.
    pub(crate) fn accuracy(&self) -> f64 {
        self.right / self.answers.max(1.0)
    }

    /// Share of the prompts whose answers all earn the same.
    pub(crate) fn no_signal(&self) -> f64 {
        self.silent / self.groups.max(1.0)
    }

    /// What is recorded of the answers of an update.
    pub(crate) fn training(&self) -> [(&'static str, f64); 8] {
        let mean = |sum: f64| sum / self.answers.max(1.0);
        [
            ("train/reward", mean(self.score)),
            ("train/accuracy", self.accuracy()),
            ("train/entropy", self.entropy()),
            ("train/response_entropy", mean(self.response_entropy)),
            ("train/low_share", mean(self.low)),
            ("train/high_share", mean(self.high)),
            ("train/length", mean(self.tokens)),
            ("train/no_signal", self.no_signal()),
        ]
    }

    /// What is recorded of an evaluation: pass@k for every k up to the number of answers.
    pub(crate) fn evaluation(&self) -> Vec<(&'static str, f64)> {
        let mean = |sum: f64| sum / self.answers.max(1.0);
        let mut metrics = vec![
            ("eval/accuracy", self.accuracy()),
            ("eval/entropy", self.entropy()),
            ("eval/response_entropy", mean(self.response_entropy)),
            ("eval/low_share", mean(self.low)),
            ("eval/high_share", mean(self.high)),
            ("eval/length", mean(self.tokens)),
            ("eval/stopped", mean(self.stopped)),
        ];
        let passes = PASS.into_iter().zip(ATTEMPTS);
        // Too few answers for a k leave it out.
        metrics.extend(passes.filter_map(|(name, attempts)| {
            Some((name, mean_pass_at(&self.problems, attempts).ok()?))
        }));
        metrics
    }
}

/// Time spent, for rates. Of this process and not of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    sampling: Rate,
    training: Rate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    tokens: f64,
    time: Duration,
}

impl Rate {
    fn per_second(self) -> f64 {
        self.tokens / self.time.as_secs_f64()
    }
}

impl Clock {
    /// Counts tokens that were sampled since `since`.
    pub(crate) fn sampled(&mut self, tokens: usize, since: Instant) {
        self.sampling.tokens += tokens as f64;
        self.sampling.time += since.elapsed();
    }

    /// Counts tokens that were trained on since `since`.
    pub(crate) fn trained(&mut self, tokens: usize, since: Instant) {
        self.training.tokens += tokens as f64;
        self.training.time += since.elapsed();
    }

    /// Tokens a second since the last call.
    pub(crate) fn rates(&mut self) -> [(&'static str, f64); 2] {
        let Self { sampling, training } = std::mem::take(self);
        [
            ("sampled_tokens_per_second", sampling.per_second()),
            ("trained_tokens_per_second", training.per_second()),
        ]
    }
}
