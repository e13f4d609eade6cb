//! GRPO with ERA (Kang et al., arXiv 2510.08549): in the update, the logits of a right answer's tokens are multiplied by k where the answer's
//! entropy is below ω_low, and divided by k where it is above ω_high, and its advantage the other way round. Answers are sampled
//! without it.
//!
//! One step for each batch of answers, exactly on-policy, as in the paper's scripts. [`ResponseEra`] has the formula, what it does, and
//! where the released code departs from it: `fidelity: official` follows the code. `docs/algorithms/grpo-era.md` says what is
//! recorded.

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::{Cell, Cost, Method, ParamError, Params, TrainError};

use era::{Fidelity, ResponseEra, ResponseEraConfig, Scope};

use crate::batch::{Batch, Tokens};
use crate::descent::{DescentError, Part, Slopes};
use crate::params::{self, parameters};
use crate::rollout::Rollout;
use crate::start;
use crate::surrogate::{ClipRange, Surrogate};
use crate::training::Training;

/// How many of the largest logits the released code takes a log-probability over.
const OFFICIAL_VOCABULARY: usize = 20;

parameters! {
    /// Parameters of `grpo-era`.
    GrpoEraParams {
        /// `formula`, or `official`: the released code, which scales logits where the advantage is at least 1 only and takes log-probabilities over the 20 largest logits.
        fidelity: Fidelity = Fidelity::Formula,
        /// What logits are multiplied by below ω_low; 2 in the paper's scripts.
        k: f64 = 2.0,
        /// The share of an answer's tokens, the most uncertain, whose entropy is that of the answer; 0.2 in the released code.
        top_fraction: f64 = 0.2,
        /// Which tokens of such an answer are scaled: `response` for all, `top_tokens` for the most uncertain.
        scope: Scope = Scope::Response,
        /// Whether advantages are scaled against the logits, as the formula has it. Off in the older of the paper's scripts.
        scale_advantages: bool = true,
    }
}

impl ParamSet for GrpoEraParams {
    fn validate(&self, task: &str) -> Result<(), ParamError> {
        let checked = ResponseEra::new(self.activation());
        checked.map_err(|error| params::range("k", format!("does not fit: {error}")))?;
        self.common().validate(task)
    }
}

impl GrpoEraParams {
    /// The activation.
    fn activation(&self) -> ResponseEraConfig {
        ResponseEraConfig {
            entropy_low: self.entropy_low,
            entropy_high: self.entropy_high,
            k: self.k,
            top_fraction: self.top_fraction,
            scope: self.scope,
            scale_advantages: self.scale_advantages,
            fidelity: self.fidelity,
        }
    }
}

/// The factor on each token's logits, and its new advantage.
fn scaled(era: &ResponseEra, part: &mut Part<'_>) -> (Vec<f64>, Vec<f64>) {
    let entropies = part.entropies();
    let advantages = part.advantage();
    let mut factors = vec![1.0; entropies.len()];
    let mut scaled = advantages.to_vec();
    for answer in part.lengths().ranges() {
        era.scale_response(
            &entropies[answer.clone()],
            &advantages[answer.clone()],
            &mut factors[answer.clone()],
            &mut scaled[answer],
        );
    }
    (factors, scaled)
}

/// The method `grpo-era`.
#[derive(Debug)]
pub struct GrpoEra;

impl Method for GrpoEra {
    fn name(&self) -> &'static str {
        "grpo-era"
    }

    fn about(&self) -> &'static str {
        "GRPO with ERA: the logits of answers that are too sure or too unsure are scaled in the update"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<GrpoEraParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        start::requires(cell, GrpoEraParams::common)
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: GrpoEraParams = method::typed(task, params).unwrap_or_default();
        params.common().cost(task)
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: GrpoEraParams = params::of(cell)?;
        let mut training = Training::begin(cell, params.common(), Some(params.entropy_low), run)?;
        let update = params.update()?;
        while let Some(rollout) = training.rollout(run)? {
            update.descend(&mut training, &rollout)?;
            training.end_update(run)?;
        }
        Ok(())
    }
}

/// What every update is made with.
pub(crate) struct Update {
    era: ResponseEra,
    /// How many of the largest logits a log-probability is taken over; all where it is not given.
    top: Option<usize>,
    loss: Surrogate,
}

impl GrpoEraParams {
    pub(crate) fn update(&self) -> Result<Update, TrainError> {
        Ok(Update {
            era: ResponseEra::new(self.activation()).map_err(params::refused)?,
            top: (self.fidelity == Fidelity::Official).then_some(OFFICIAL_VOCABULARY),
            // Unclipped, as in the paper's scripts: on-policy there is nothing to clip.
            loss: Surrogate {
                clip: ClipRange {
                    low: 1.0,
                    high: 1.0,
                },
                clip_c: 10.0,
                aggregation: self.common().aggregation(),
            },
        })
    }
}

impl Update {
    /// One step on all answers of a rollout. Gives the loss before it.
    pub(crate) fn descend(
        &self,
        training: &mut Training,
        rollout: &Rollout,
    ) -> Result<f64, TrainError> {
        let advantages = rollout.advantages().map_err(params::refused)?;
        let all = 0..rollout.groups.len();
        let aggregation = self.loss.aggregation;
        training.descend(rollout, all, &advantages, aggregation, |descent| {
            descent.separable(|part| self.slopes(part))
        })
    }

    fn slopes(&self, part: &mut Part<'_>) -> Result<Slopes, DescentError> {
        let (factors, advantage) = scaled(&self.era, part);
        let log_prob = part.log_probs(&factors, self.top).to_vec();
        let tokens = Tokens {
            log_prob: &log_prob,
            // On-policy: the same activation in both, so the ratio is 1.
            old_log_prob: &log_prob,
            advantage: &advantage,
        };
        let batch = Batch::new(part.lengths(), tokens)?;
        let mut slopes = Slopes::default();
        let seen = self.loss.evaluate(batch, &mut slopes.log_prob);
        slopes.loss = seen.loss;
        slopes.clip_fraction = seen.clip_fraction;
        Ok(slopes)
    }
}
