//! Supervised learning of the answers to generated problems, from random weights: it makes the policy that reinforcement learning starts
//! from.
//!
//! It ends as soon as the policy, sampled at temperature 1, is right often enough to learn from rewards and wrong often enough to have
//! something to learn. The cross-entropy is a mean over the tokens of the answers, their end among them.

use era_harness::method::{self, ParamSet};
use era_harness::run::{Checkpoint, Run};
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};
use era_problems::{Split, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::metrics::Sampled;
use crate::model::{Config, Policy, Weights};
use crate::optimiser::{self, AdamW};
use crate::params::{self, above_zero, at_least, range, refused};
use crate::rollout::{Answer, Group, Sequences};
use crate::sample::{Generator, Response, Sampling};
use crate::tasks::{self, Difficulty, Source, TaskInfo};
use crate::text::Text;
use crate::training::Ask;

/// Part of the identity of every cell that starts from such a policy: bumped when its trajectory changes.
pub const REVISION: u32 = 1;

/// What is added to a run's seed for its problems, so that reinforcement learning, whose seeds are small, sees others.
const SEED_OFFSET: u64 = 1 << 32;

/// Updates over which the learning rate rises.
const WARMUP: u64 = 100;

/// Largest norm of the gradient.
const CLIP: f64 = 1.0;

/// Parameters of `sft`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SftParams {
    /// Blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Query heads; they share the width evenly.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the feed-forward layers.
    pub feed_forward: usize,
    /// Updates, at most.
    pub updates: u64,
    /// Problems of an update, all of them new.
    pub batch_size: usize,
    /// Learning rate of AdamW.
    pub learning_rate: f64,
    /// Share of right answers at which it ends.
    pub target_accuracy: f64,
    /// Updates between evaluations, which decide the end.
    pub eval_every: u64,
    /// Held-out problems of an evaluation.
    pub eval_problems: usize,
    /// Sampled answers to each.
    pub eval_samples: usize,
    /// Most tokens of a sampled answer.
    pub max_tokens: usize,
    /// How many numbers a generated problem has; 0 leaves it, and each number that follows, to the task.
    pub terms: u32,
    /// The most digits of a number, of `chain-sum`.
    pub digits: u32,
    /// The modulus, of `modular`.
    pub modulus: u32,
    /// How many numbers are given, of `countdown`.
    pub numbers: u32,
    /// The largest number, of `countdown`.
    pub largest: u32,
    /// The largest target, of `countdown`.
    pub target: u32,
}

impl Default for SftParams {
    fn default() -> Self {
        Self {
            layers: 4,
            width: 128,
            heads: 4,
            kv_heads: 2,
            feed_forward: 384,
            updates: 6000,
            batch_size: 256,
            learning_rate: 1e-3,
            target_accuracy: 0.3,
            eval_every: 50,
            eval_problems: 128,
            eval_samples: 8,
            max_tokens: 16,
            terms: 0,
            digits: 0,
            modulus: 0,
            numbers: 0,
            largest: 0,
            target: 0,
        }
    }
}

impl ParamSet for SftParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        self.check("", task)
    }
}

impl SftParams {
    /// Checks ranges; `prefix` stands before the names where another method's parameters hold them.
    pub(crate) fn check(&self, prefix: &str, task: &str) -> Result<(), ParamError> {
        let key = |name: &str| format!("{prefix}{name}");
        for (name, value) in [
            ("updates", self.updates),
            ("batch_size", self.batch_size as u64),
            ("eval_every", self.eval_every),
            ("eval_problems", self.eval_problems as u64),
            ("eval_samples", self.eval_samples as u64),
            ("max_tokens", self.max_tokens as u64),
        ] {
            at_least(&key(name), value, 1)?;
        }
        above_zero(&key("learning_rate"), self.learning_rate)?;
        params::between(&key("target_accuracy"), self.target_accuracy, 0.0, 1.0)?;
        if self.heads == 0 || !self.width.is_multiple_of(self.heads) {
            let message = format!(
                "must share the width of {} evenly, not {}",
                self.width, self.heads
            );
            return Err(range(&key("heads"), message));
        }
        let checked = self.config().check();
        checked.map_err(|error| range(&key("width"), format!("does not fit: {}", error.0)))?;
        if let Some(task) = tasks::find(task) {
            let set = task.set(self.difficulty());
            set.map_err(|message| range("terms", format!("does not fit: {message}")))?;
        }
        Ok(())
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty {
            terms: self.terms,
            digits: self.digits,
            modulus: self.modulus,
            numbers: self.numbers,
            largest: self.largest,
            target: self.target,
        }
    }

    /// A Llama with tied embeddings on the tokenizer's symbols.
    pub(crate) fn config(&self) -> Config {
        Config {
            vocabulary: Tokenizer::SIZE as usize,
            width: self.width,
            feed_forward: self.feed_forward,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_width: self.width / self.heads.max(1),
            norm_epsilon: 1e-5,
            rope_base: 10_000.0,
            qkv_bias: false,
            tied: true,
        }
    }

    /// Number of parameters.
    pub(crate) fn size(&self) -> f64 {
        let sizes = self.config().parameters();
        sizes
            .iter()
            .map(|(_, [rows, columns])| (rows * columns) as f64)
            .sum()
    }
}

/// The method `sft`.
#[derive(Debug)]
pub struct Sft;

impl Method for Sft {
    fn name(&self) -> &'static str {
        "sft"
    }

    fn about(&self) -> &'static str {
        "supervised learning from random weights: it makes what reinforcement learning starts from"
    }

    fn revision(&self) -> u32 {
        REVISION
    }

    fn supports(&self, task: &str) -> Result<(), String> {
        match tasks::find(task) {
            Some(task) if !task.symbols() => {
                Err("its policies know the 30 symbols of problems in digits only".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<SftParams>(task, given)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: SftParams = method::typed(task, params).unwrap_or_default();
        // About fifteen tokens a problem, six multiplications a parameter for each.
        let tokens = params.updates as f64 * params.batch_size as f64 * 15.0;
        Cost {
            seconds: 1.0 + tokens * params.size() * 6.0 / 1e11,
            memory: 300 << 20,
        }
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: SftParams = params::of(cell)?;
        let task = tasks::find(&cell.task)
            .ok_or_else(|| TrainError::Other(format!("find the task `{}`", cell.task)))?;
        let mut training = Training::begin(task, &params, cell.seed, run)?;
        while training.step < params.updates {
            let loss = training.descend()?;
            training.step += 1;
            let step = training.step;
            let evaluated = step.is_multiple_of(params.eval_every) || step == params.updates;
            let accuracy = if evaluated {
                run.log(step, &[("train/loss", loss)])?;
                training.evaluate(run)?
            } else {
                0.0
            };
            run.progress(step, params.updates);
            if evaluated && accuracy >= params.target_accuracy {
                break;
            }
            if run.checkpoint_due() {
                run.save(&training.save())?;
            }
        }
        run.leave(&training.policy.weights().to_bytes().map_err(refused)?)
    }
}

/// A supervised training between two updates.
struct Training<'a> {
    params: &'a SftParams,
    streams: era_harness::seed::Streams,
    policy: Policy,
    adam: AdamW,
    generator: Generator,
    train: Source,
    test: Source,
    step: u64,
}

impl<'a> Training<'a> {
    fn begin(
        task: &TaskInfo,
        params: &'a SftParams,
        seed: u64,
        run: &mut Run,
    ) -> Result<Self, TrainError> {
        let open = |split, seed| {
            let source = task.open(params.difficulty(), split, seed);
            source.map_err(TrainError::Other)
        };
        let streams = run.streams();
        let weights = Weights::init(params.config(), &mut streams.at("init", 0));
        let mut policy = Policy::from_weights(&weights.map_err(refused)?, &crate::device(run)?);
        let mut adam = AdamW::new(&policy.parameters);
        let mut step = 0;
        if let Some(checkpoint) = run.resume()? {
            optimiser::restore_policy(&mut policy, &checkpoint)?;
            adam.restore(&policy, &checkpoint)?;
            step = checkpoint.step;
        }
        Ok(Self {
            params,
            streams,
            policy,
            adam,
            generator: Generator::default(),
            train: open(Split::Train, seed + SEED_OFFSET)?,
            test: open(Split::Test, 0)?,
            step,
        })
    }

    /// One step on new problems; returns the loss, in nats a token.
    fn descend(&mut self) -> Result<f64, TrainError> {
        let size = self.params.batch_size as u64;
        let first = self.step * size;
        let groups = (first..first + size).map(|index| solved(&self.train, index));
        let laid = Sequences::new(&groups.collect::<Result<Vec<Group>, TrainError>>()?);
        let count = laid.taken.len();
        let packed = laid.packed(self.policy.config()).map_err(refused)?;
        let mut pass = self.policy.forward(&packed);
        let log_probs = pass.log_probs(&laid.taken, &vec![1.0; count], None);
        let loss = -log_probs.iter().copied().map(f64::from).sum::<f64>() / count as f64;
        if !loss.is_finite() {
            return Err(TrainError::Diverged {
                what: "the loss".to_owned(),
                step: self.step,
            });
        }
        let slopes = vec![-1.0 / count as f32; count];
        let gradients = pass.backward(&slopes, &vec![0.0; count]);
        let risen = ((self.step + 1) as f64 / WARMUP as f64).min(1.0);
        let rate = self.params.learning_rate * risen;
        self.adam
            .step(&mut self.policy.parameters, gradients, rate, 0.0, CLIP);
        Ok(loss)
    }

    fn evaluate(&mut self, run: &mut Run) -> Result<f64, TrainError> {
        let text = Text::Digits;
        let problems = 0..self.params.eval_problems as u64;
        let ask = Ask {
            text: &text,
            problems: problems.map(|index| self.test.problem(index)).collect(),
            samples: self.params.eval_samples,
            sampling: Sampling {
                temperature: 1.0,
                top_p: 1.0,
                top_k: None,
                max_tokens: self.params.max_tokens,
                stop: text.stop().to_vec(),
            },
            streams: self.streams,
            purpose: "evaluation",
            first: 0,
        };
        let groups = ask.of(&mut self.generator, &self.policy.weights())?;
        let mut seen = Sampled::new(params::thresholds_by_default()?);
        seen.add(&groups);
        run.log(self.step, &seen.evaluation())?;
        run.headline(&[("accuracy", seen.accuracy()), ("entropy", seen.entropy())]);
        Ok(seen.accuracy())
    }

    fn save(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            step: self.step,
            ..Checkpoint::default()
        };
        optimiser::save_policy(&self.policy, &mut checkpoint);
        self.adam.save(&self.policy, &mut checkpoint);
        checkpoint
    }
}

/// A problem with its solution as the one answer.
fn solved(source: &Source, index: u64) -> Result<Group, TrainError> {
    let problem = source.problem(index);
    let prompt = Text::Digits.prompt(&problem.prompt).map_err(refused)?;
    let mut tokens = Text::Digits.encode(&problem.solution).map_err(refused)?;
    tokens.push(Text::Digits.end());
    let response = Response {
        log_probs: vec![0.0; tokens.len()],
        entropies: vec![0.0; tokens.len()],
        tokens,
        stopped: true,
    };
    Ok(Group {
        prompt,
        answers: vec![Answer {
            response,
            right: true,
        }],
    })
}
