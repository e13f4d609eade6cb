//! Sampled answers: what was asked, what came, what it earned, and how it lies in a batch.

use std::ops::Range;

use crate::advantage::{Groups, Scale};
use crate::batch::{Lengths, ShapeError};
use crate::model::{Config, ConfigError, Packed, Segment};
use crate::sample::Response;

/// What a right answer earns, and what a wrong one: ±1 in the paper's scripts (`math_dapo`).
const REWARD: [f64; 2] = [-1.0, 1.0];

/// An answer and whether it is right.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) right: bool,
}

impl Answer {
    pub(crate) fn score(&self) -> f64 {
        REWARD[usize::from(self.right)]
    }
}

/// A prompt with its answers.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) prompt: Vec<u32>,
    pub(crate) answers: Vec<Answer>,
}

impl Group {
    /// Whether its answers earn different things.
    pub(crate) fn teaches(&self) -> bool {
        let right = self.answers.iter().filter(|answer| answer.right).count();
        right > 0 && right < self.answers.len()
    }
}

/// The answers that an update learns from.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) groups: Vec<Group>,
}

impl Rollout {
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.groups.iter().flat_map(|group| &group.answers)
    }

    /// GRPO's advantages, one an answer: what it earned beside the others to its prompt, over their deviation.
    pub(crate) fn advantages(&self) -> Result<Vec<f64>, ShapeError> {
        let sizes = self.groups.iter().map(|group| group.answers.len());
        let index: Vec<usize> = sizes
            .enumerate()
            .flat_map(|(group, size)| std::iter::repeat_n(group, size))
            .collect();
        let scores: Vec<f64> = self.answers().map(Answer::score).collect();
        Groups::new(&index).advantages(&scores, Scale::Deviation)
    }

    /// The groups in `parts` runs of nearly equal length; fewer where there are fewer groups.
    pub(crate) fn mini_batches(&self, parts: usize) -> Vec<Range<usize>> {
        split(0..self.groups.len(), parts.min(self.groups.len()))
    }

    /// Where the answers of some groups lie among all.
    pub(crate) fn answers_of(&self, groups: &Range<usize>) -> Range<usize> {
        let count = |groups: &[Group]| {
            groups
                .iter()
                .map(|group| group.answers.len())
                .sum::<usize>()
        };
        let first = count(&self.groups[..groups.start]);
        first..first + count(&self.groups[groups.clone()])
    }
}

/// `range` in `parts` runs whose lengths differ by one at most.
pub(crate) fn split(range: Range<usize>, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.max(1);
    let (size, longer) = (range.len() / parts, range.len() % parts);
    let mut start = range.start;
    let runs = (0..parts).map(|part| {
        let end = start + size + usize::from(part < longer);
        let run = start..end;
        start = end;
        run
    });
    runs.filter(|run| !run.is_empty()).collect()
}

/// Groups laid out for the transformer: each prompt once, then its answers, without padding.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences {
    /// What the transformer reads: prompts, and answers without their last token, which nothing follows.
    pub(crate) tokens: Vec<u32>,
    pub(crate) segments: Vec<Segment>,
    /// For each token of an answer the position in `tokens` after which it comes.
    pub(crate) rows: Vec<usize>,
    /// The tokens of the answers.
    pub(crate) taken: Vec<u32>,
    /// How many each answer has.
    pub(crate) lengths: Vec<usize>,
}

impl Sequences {
    /// Lays out `groups`.
    pub(crate) fn new(groups: &[Group]) -> Self {
        let mut laid = Self::default();
        for group in groups {
            let prompt = laid.segment(&group.prompt, None);
            let last = laid.tokens.len() - 1;
            for answer in &group.answers {
                let tokens = &answer.response.tokens;
                laid.lengths.push(tokens.len());
                laid.taken.extend(tokens);
                let Some((_, read)) = tokens.split_last() else {
                    continue;
                };
                laid.rows.push(last);
                let start = laid.tokens.len();
                laid.rows.extend(start..start + read.len());
                if !read.is_empty() {
                    laid.segment(read, Some(prompt));
                }
            }
        }
        laid
    }

    /// As the transformer takes them.
    ///
    /// # Errors
    /// A token is not one of the model's.
    pub(crate) fn packed(&self, config: &Config) -> Result<Packed, ConfigError> {
        Packed::new(config, &self.tokens, self.segments.clone(), &self.rows)
    }

    fn segment(&mut self, tokens: &[u32], prefix: Option<usize>) -> usize {
        self.segments.push(Segment {
            start: self.tokens.len(),
            len: tokens.len(),
            prefix,
        });
        self.tokens.extend(tokens);
        self.segments.len() - 1
    }

    pub(crate) fn lengths(&self) -> Lengths<'_> {
        Lengths::new(&self.lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(answers: &[(&[u32], bool)]) -> Group {
        let answer = |(tokens, right): &(&[u32], bool)| Answer {
            response: Response {
                tokens: tokens.to_vec(),
                log_probs: vec![0.0; tokens.len()],
                entropies: vec![0.0; tokens.len()],
                stopped: true,
            },
            right: *right,
        };
        Group {
            prompt: vec![1, 2, 3],
            answers: answers.iter().map(answer).collect(),
        }
    }

    #[test]
    fn an_answer_follows_its_prompt() {
        let groups = [
            group(&[(&[7, 8, 9], true), (&[5], false)]),
            group(&[(&[], false), (&[4, 6], true)]),
        ];
        let laid = Sequences::new(&groups);
        assert_eq!(laid.tokens, [1, 2, 3, 7, 8, 1, 2, 3, 4]);
        assert_eq!(laid.taken, [7, 8, 9, 5, 4, 6]);
        assert_eq!(laid.rows, [2, 3, 4, 2, 7, 8]);
        assert_eq!(laid.lengths, [3, 1, 0, 2]);
        let segments: Vec<_> = laid
            .segments
            .iter()
            .map(|segment| (segment.start, segment.len, segment.prefix))
            .collect();
        assert_eq!(
            segments,
            [(0, 3, None), (3, 2, Some(0)), (5, 3, None), (8, 1, Some(2))]
        );
    }

    #[test]
    fn parts_are_whole_groups() {
        let rollout = Rollout {
            groups: vec![group(&[(&[1], true), (&[2], false)]); 5],
        };
        assert_eq!(rollout.mini_batches(2), [0..3, 3..5]);
        assert_eq!(rollout.mini_batches(9).len(), 5);
        assert_eq!(rollout.answers_of(&(3..5)), 6..10);
        let advantages = rollout.advantages().unwrap();
        assert!((advantages[0] - 0.5_f64.sqrt()).abs() < 1e-5);
        assert!((advantages[0] + advantages[1]).abs() < 1e-12);
        assert!(rollout.groups[0].teaches());
        assert!(!group(&[(&[1], true), (&[2], true)]).teaches());
    }
}
