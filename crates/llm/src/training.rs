//! The state of a training, and what every method does with it: sample answers, descend on them, evaluate, keep a checkpoint.

use std::ops::Range;
use std::time::Instant;

use burn::tensor::Device;
use era::ResponseEra;
use era_harness::run::{Array, Checkpoint, Run};
use era_harness::seed::Streams;
use era_harness::{Cell, TrainError};
use era_problems::{Problem, Split};
use rand_chacha::ChaCha8Rng;

use crate::batch::Aggregation;
use crate::descent::{Descent, DescentError, Gradient, wide};
use crate::metrics::{Clock, Sampled};
use crate::model::{ConfigError, Policy, Weights};
use crate::optimiser::{self, AdamW, missing};
use crate::params::{Common, refused};
use crate::rollout::{Answer, Group, Rollout, Sequences};
use crate::sample::{Generator, Request, Response, Sampling};
use crate::start;
use crate::tasks::{self, Source, TaskInfo};
use crate::text::Text;

/// The share of the starting policy's entropy below which entropy counts as collapsed.
const COLLAPSE: f64 = 0.1;

/// Answers of an evaluation that the divergence from the start is estimated from, at most.
const COMPARED: usize = 256;

/// A training between two updates.
pub(crate) struct Training {
    params: Common,
    era: ResponseEra,
    threshold: Option<f64>,
    streams: Streams,
    text: Text,
    policy: Policy,
    /// Where it began.
    start: Policy,
    adam: AdamW,
    generator: Generator,
    train: Source,
    test: Source,
    /// Updates done.
    step: u64,
    /// Problems drawn so far.
    drawn: u64,
    /// Entropy of the starting policy.
    start_entropy: f64,
    clock: Clock,
    descents: Descents,
}

/// What the descents of an update showed.
#[derive(Clone, Copy, Debug, Default)]
struct Descents {
    loss: f64,
    clip_fraction: f64,
    gradient_norm: f64,
    count: f64,
}

impl Training {
    /// Opens problems and policy, or takes both up where a checkpoint of the run has left them. A new run is evaluated first.
    ///
    /// `threshold` is recorded with every evaluation: the entropy below which a method pushes answers back, where it has one.
    pub(crate) fn begin(
        cell: &Cell,
        params: Common,
        threshold: Option<f64>,
        run: &mut Run,
    ) -> Result<Self, TrainError> {
        let task = tasks::find(&cell.task)
            .ok_or_else(|| TrainError::Other(format!("find the task `{}`", cell.task)))?;
        let start = start::open(cell, task, &params, run)?;
        let device = crate::device(run)?;
        let mut training = Self::new(task, cell.seed, params, start, &device)?;
        training.threshold = threshold;
        match run.resume()? {
            Some(checkpoint) => training.restore(&checkpoint)?,
            None => training.start_entropy = training.evaluate(run)?,
        }
        Ok(training)
    }

    /// A training before its first update, without a run.
    pub(crate) fn new(
        task: &TaskInfo,
        seed: u64,
        params: Common,
        (weights, text): (Weights, Text),
        device: &Device,
    ) -> Result<Self, TrainError> {
        let open = |split, seed| {
            let source = task.open(params.difficulty(), split, seed);
            source.map_err(TrainError::Other)
        };
        let mut policy = Policy::from_weights(&weights, device);
        policy.checkpointing = params.checkpointing;
        drop(weights);
        Ok(Self {
            era: params.thresholds()?,
            threshold: None,
            params,
            streams: Streams::new(seed),
            text,
            adam: AdamW::new(&policy.parameters),
            start: policy.clone(),
            policy,
            generator: Generator::default(),
            train: open(Split::Train, seed)?,
            test: open(Split::Test, 0)?,
            step: 0,
            drawn: 0,
            start_entropy: 0.0,
            clock: Clock::default(),
            descents: Descents::default(),
        })
    }

    /// A generator for this update.
    pub(crate) fn rng(&self, purpose: &str) -> ChaCha8Rng {
        self.streams.at(purpose, self.step)
    }

    /// Samples answers for an update and logs what they show; none after the last update.
    ///
    /// With dynamic sampling, prompts whose answers all earn the same are left out and others drawn, up to `most_rounds` times; an
    /// update in which no prompt teaches anything changes nothing.
    pub(crate) fn rollout(&mut self, run: &mut Run) -> Result<Option<Rollout>, TrainError> {
        while self.step < self.params.updates {
            let rollout = self.sample_update(run)?;
            if !rollout.groups.is_empty() {
                return Ok(Some(rollout));
            }
            self.end_update(run)?;
        }
        Ok(None)
    }

    fn sample_update(&mut self, run: &mut Run) -> Result<Rollout, TrainError> {
        let weights = self.policy.weights();
        let (wanted, dynamic) = (self.params.prompts, self.params.dynamic_sampling);
        let rounds = if dynamic { self.params.most_rounds } else { 1 };
        let (mut kept, mut seen) = (Vec::with_capacity(wanted), Sampled::new(self.era));
        for _ in 0..rounds {
            let groups = self.sample_prompts(&weights)?;
            seen.add(&groups);
            kept.extend(
                groups
                    .into_iter()
                    .filter(|group| !dynamic || group.teaches()),
            );
            if kept.len() >= wanted {
                break;
            }
        }
        kept.truncate(wanted);
        let step = self.step + 1;
        run.log(step, &seen.training())?;
        let flag = |raised: bool| f64::from(u8::from(raised));
        let collapsed = seen.entropy() < COLLAPSE * self.start_entropy;
        let alarms = [
            ("alarm/entropy_collapse", flag(collapsed)),
            ("alarm/no_signal", flag(seen.no_signal() == 1.0)),
        ];
        run.log(step, &alarms)?;
        Ok(Rollout { groups: kept })
    }

    /// Answers to the next problems. A sample's generator depends on the run's seed and the numbers of problem and sample alone.
    fn sample_prompts(&mut self, weights: &Weights) -> Result<Vec<Group>, TrainError> {
        let first = self.drawn;
        self.drawn += self.params.prompts as u64;
        let problems = (first..self.drawn).map(|index| self.train.problem(index));
        let ask = Ask {
            text: &self.text,
            problems: problems.collect(),
            samples: self.params.group,
            sampling: self.params.sampling(self.text.stop().to_vec()),
            streams: self.streams,
            purpose: "answers",
            first,
        };
        let since = Instant::now();
        let groups = ask.of(&mut self.generator, weights)?;
        self.clock.sampled(tokens(&groups), since);
        Ok(groups)
    }

    /// One step down a loss on the groups `batch` of a rollout, whose answers have these advantages; `gradient` takes the loss back to
    /// the parameters. Gives the loss before the step.
    pub(crate) fn descend(
        &mut self,
        rollout: &Rollout,
        batch: Range<usize>,
        advantages: &[f64],
        aggregation: Aggregation,
        gradient: impl FnOnce(&Descent<'_>) -> Result<Gradient, DescentError>,
    ) -> Result<f64, TrainError> {
        let since = Instant::now();
        let learnt = tokens(&rollout.groups[batch.clone()]);
        let descent = Descent {
            policy: &self.policy,
            start: &self.start,
            kl_coefficient: self.params.kl_coefficient,
            temperature: self.params.temperature,
            micro_batch: self.params.micro_batch,
            aggregation,
            rollout,
            advantages,
            groups: batch,
        };
        let found = gradient(&descent).map_err(|error| TrainError::Other(error.to_string()))?;
        if !found.loss.is_finite() {
            return Err(TrainError::Diverged {
                what: "the loss".to_owned(),
                step: self.step,
            });
        }
        let rate = self.learning_rate();
        let norm = self.adam.step(
            &mut self.policy.parameters,
            found.of,
            rate,
            self.params.weight_decay,
            self.params.gradient_clip,
        );
        self.clock.trained(learnt, since);
        self.descents.loss += found.loss;
        self.descents.clip_fraction += found.clip_fraction;
        self.descents.gradient_norm += norm;
        self.descents.count += 1.0;
        Ok(found.loss)
    }

    /// It rises linearly, from one part of `warmup_updates` to all of them.
    fn learning_rate(&self) -> f64 {
        let risen = (self.step + 1) as f64 / self.params.warmup_updates.max(1) as f64;
        self.params.learning_rate * risen.min(1.0)
    }

    /// Ends an update: an evaluation where one is due, and a checkpoint.
    pub(crate) fn end_update(&mut self, run: &mut Run) -> Result<(), TrainError> {
        self.step += 1;
        let Descents {
            loss,
            clip_fraction,
            gradient_norm,
            count,
        } = std::mem::take(&mut self.descents);
        if count > 0.0 {
            let metrics = [
                ("train/loss", loss / count),
                ("train/clip_fraction", clip_fraction / count),
                ("train/gradient_norm", gradient_norm / count),
            ];
            run.log(self.step, &metrics)?;
        }
        let total = self.params.updates;
        if self.step.is_multiple_of(self.params.eval_every) || self.step == total {
            run.log_timing(self.step, &self.clock.rates())?;
            self.evaluate(run)?;
        }
        run.progress(self.step, total);
        if run.checkpoint_due() {
            run.save(&self.save())?;
        }
        Ok(())
    }

    /// Answers to the held-out problems; returns the entropy of their tokens.
    fn evaluate(&mut self, run: &mut Run) -> Result<f64, TrainError> {
        let problems = 0..self.params.eval_problems as u64;
        let ask = Ask {
            text: &self.text,
            problems: problems.map(|index| self.test.problem(index)).collect(),
            samples: self.params.eval_samples,
            sampling: self.params.eval_sampling(self.text.stop().to_vec()),
            streams: self.streams,
            purpose: "evaluation",
            first: 0,
        };
        let groups = ask.of(&mut self.generator, &self.policy.weights())?;
        let mut seen = Sampled::new(self.era);
        seen.add(&groups);
        run.log(self.step, &seen.evaluation())?;
        let divergence = self.divergence(&groups).map_err(refused)?;
        run.log(self.step, &[("eval/kl_start", divergence)])?;
        if let Some(threshold) = self.threshold {
            run.log(self.step, &[("eval/entropy_low", threshold)])?;
        }
        run.headline(&[("accuracy", seen.accuracy()), ("entropy", seen.entropy())]);
        Ok(seen.entropy())
    }

    /// Mean of log π - log π_start over the tokens of some answers: the plain estimate of KL(π, π_start), in nats a token. It can be
    /// negative, and is that of the evaluation's temperature.
    fn divergence(&self, groups: &[Group]) -> Result<f64, ConfigError> {
        if self.step == 0 {
            return Ok(0.0);
        }
        // The first answers of each problem, so that all problems take part.
        let each = (COMPARED / groups.len().max(1)).max(1);
        let part: Vec<Group> = groups
            .iter()
            .take(COMPARED)
            .map(|group| Group {
                answers: group.answers.iter().take(each).cloned().collect(),
                ..group.clone()
            })
            .collect();
        let laid = Sequences::new(&part);
        let packed = laid.packed(self.policy.config())?;
        let temperature = self.params.eval_temperature.max(f64::MIN_POSITIVE);
        let factors = vec![(1.0 / temperature) as f32; laid.taken.len()];
        let mean = |policy: &Policy| {
            let seen = policy.evaluate(&packed, &laid.taken, &factors, None);
            let log_probs = wide(&seen.log_probs);
            log_probs.iter().sum::<f64>() / log_probs.len().max(1) as f64
        };
        Ok(mean(&self.policy) - mean(&self.start))
    }

    pub(crate) fn save(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            step: self.step,
            ..Checkpoint::default()
        };
        optimiser::save_policy(&self.policy, &mut checkpoint);
        self.adam.save(&self.policy, &mut checkpoint);
        let drawn = Array::U64(vec![1], vec![self.drawn]);
        let entropy = Array::F64(vec![1], vec![self.start_entropy]);
        checkpoint.arrays.insert("drawn".to_owned(), drawn);
        checkpoint
            .arrays
            .insert("start.entropy".to_owned(), entropy);
        checkpoint
    }

    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        optimiser::restore_policy(&mut self.policy, checkpoint)?;
        self.adam.restore(&self.policy, checkpoint)?;
        self.step = checkpoint.step;
        match (
            checkpoint.arrays.get("drawn"),
            checkpoint.arrays.get("start.entropy"),
        ) {
            (Some(Array::U64(_, drawn)), Some(Array::F64(_, entropy))) => {
                self.drawn = *drawn.first().ok_or_else(|| missing("drawn"))?;
                self.start_entropy = *entropy.first().ok_or_else(|| missing("start.entropy"))?;
                Ok(())
            }
            _ => Err(missing("drawn")),
        }
    }
}

/// Problems that are put to a policy.
pub(crate) struct Ask<'a> {
    pub(crate) text: &'a Text,
    pub(crate) problems: Vec<Problem>,
    /// Answers to each.
    pub(crate) samples: usize,
    pub(crate) sampling: Sampling,
    pub(crate) streams: Streams,
    /// What the answers' random streams are called.
    pub(crate) purpose: &'a str,
    /// Number of the first problem.
    pub(crate) first: u64,
}

impl Ask<'_> {
    /// The answers of a policy, graded.
    pub(crate) fn of(
        self,
        generator: &mut Generator,
        weights: &Weights,
    ) -> Result<Vec<Group>, TrainError> {
        let prompts = self
            .problems
            .iter()
            .map(|problem| self.text.prompt(&problem.prompt));
        let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>().map_err(refused)?;
        let requests: Vec<Request<'_>> = prompts
            .iter()
            .map(|prompt| Request {
                prompt,
                samples: self.samples,
            })
            .collect();
        let stream = |prompt: usize, sample: usize| {
            let number = (self.first + prompt as u64) * self.samples as u64 + sample as u64;
            self.streams.at(self.purpose, number)
        };
        let answers = generator
            .generate(weights, &requests, &self.sampling, stream)
            .map_err(refused)?;
        let all = self.problems.into_iter().zip(prompts).zip(answers);
        let groups = all.map(|((problem, prompt), responses)| {
            let grade = |response| {
                let right = right(self.text, &problem, &response);
                Answer { response, right }
            };
            Group {
                answers: responses.into_iter().map(grade).collect(),
                prompt,
            }
        });
        Ok(groups.collect())
    }
}

/// Whether an answer is right. One that was cut off is graded as far as it goes, as verl does; digits alone are then no answer, as
/// others might have followed.
fn right(text: &Text, problem: &Problem, response: &Response) -> bool {
    let tokens = &response.tokens[..];
    let said = match tokens.split_last() {
        Some((_, said)) if response.stopped => said,
        _ if matches!(text, Text::Digits) => return false,
        _ => tokens,
    };
    let said = text.decode(said);
    said.is_ok_and(|said| problem.grade(&said).is_correct())
}

fn tokens(groups: &[Group]) -> usize {
    let answers = groups.iter().flat_map(|group| &group.answers);
    answers.map(|answer| answer.response.tokens.len()).sum()
}
