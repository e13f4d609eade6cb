//! What the parameter structs of the methods have in common.

use era::{ResponseEra, ResponseEraConfig};
use era_harness::method::{self, ParamSet};
use era_harness::{Cell, Cost, ParamError, TrainError};
use serde::{Deserialize, Serialize};

use crate::batch::Aggregation;
use crate::methods::sft::SftParams;
use crate::sample::Sampling;
use crate::tasks::{self, Difficulty};

/// How the tokens' losses become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// [`Aggregation::TokenMean`].
    TokenMean,
    /// [`Aggregation::SeqMeanTokenSum`].
    SeqMeanTokenSum,
    /// [`Aggregation::SeqMeanTokenMean`].
    SeqMeanTokenMean,
}

impl From<Reduction> for Aggregation {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::TokenMean => Self::TokenMean,
            Reduction::SeqMeanTokenSum => Self::SeqMeanTokenSum,
            Reduction::SeqMeanTokenMean => Self::SeqMeanTokenMean,
        }
    }
}

/// Hands the fields that all methods have to the macro `$make`, behind what else it is given.
macro_rules! common_fields {
    ($make:ident $($given:tt)*) => {
        $crate::params::$make! {
            $($given)*
            /// Updates: prompts are sampled, answered and learnt from this often. 500 in the paper's figure.
            updates: u64 = 300,
            /// Prompts of an update. 256 in the paper's scripts.
            prompts: usize = 64,
            /// Answers to each prompt, G. 8 in the paper's scripts.
            group: usize = 8,
            /// Whether prompts whose answers all earn the same are replaced by others (DAPO; on in the paper's scripts).
            dynamic_sampling: bool = true,
            /// How often at most prompts are drawn for an update until enough of them teach something. The paper's scripts have no limit.
            most_rounds: usize = 3,
            /// What logits are divided by in sampling and in the loss.
            temperature: f64 = 1.0,
            /// Most tokens of an answer, its end among them. 8,192 in the paper's scripts.
            max_tokens: usize = 16,
            /// Learning rate of AdamW. 1e-6 in the paper's scripts, for 7 billion parameters.
            learning_rate: f64 = 1e-4,
            /// Updates over which the learning rate rises to it.
            warmup_updates: u64 = 0,
            /// Decoupled weight decay; 0 in the paper's scripts.
            weight_decay: f64 = 0.0,
            /// Largest norm of the gradient; 1 in the paper's scripts.
            gradient_clip: f64 = 1.0,
            /// How the tokens' losses become one: `token-mean` in the paper's scripts.
            reduction: crate::params::Reduction = crate::params::Reduction::TokenMean,
            /// Weight of the divergence from the starting policy (k3) in the loss; none in the paper's scripts.
            kl_coefficient: f64 = 0.0,
            /// Answers that are differentiated together, whole groups of them; 0 for all. It changes memory and the last bits only.
            micro_batch: usize = 0,
            /// Whether each block is computed again in the backward pass instead of kept.
            checkpointing: bool = false,
            /// Updates between evaluations; one comes before the first update and one after the last.
            eval_every: u64 = 25,
            /// Problems of an evaluation, always the same.
            eval_problems: usize = 128,
            /// Answers to each of them, which pass@k is estimated from. 16 or 32 in the paper.
            eval_samples: usize = 32,
            /// Temperature of evaluations; 0.7 in the paper's.
            eval_temperature: f64 = 1.0,
            /// top-p of evaluations; 0.95 in the paper's.
            eval_top_p: f64 = 1.0,
            /// ω_low in nats: ERA's lower threshold on H_resp. Of other methods it is reported how many answers are below.
            entropy_low: f64 = 0.45,
            /// ω_high in nats: ERA's upper threshold.
            entropy_high: f64 = 3.0,
            /// How many numbers a generated problem has; 0 leaves it, and each number that follows, to the task.
            terms: u32 = 0,
            /// The most digits of a number, of `chain-sum`.
            digits: u32 = 0,
            /// The modulus, of `modular`.
            modulus: u32 = 0,
            /// How many numbers are given, of `countdown`.
            numbers: u32 = 0,
            /// The largest number, of `countdown` and `chain-sum-words`.
            largest: u32 = 0,
            /// The largest target, of `countdown`.
            target: u32 = 0,
            /// Blocks of a policy that is trained here.
            start_layers: usize = 4,
            /// Its width.
            start_width: usize = 128,
            /// Its query heads.
            start_heads: usize = 4,
            /// Its key and value heads.
            start_kv_heads: usize = 2,
            /// Width of its feed-forward layers.
            start_feed_forward: usize = 384,
            /// Updates of its supervised training, at most.
            start_updates: u64 = 6000,
            /// Problems of such an update.
            start_batch: usize = 256,
            /// Learning rate of the supervised training.
            start_learning_rate: f64 = 1e-3,
            /// Share of right answers, sampled, at which the supervised training ends.
            start_accuracy: f64 = 0.3,
        }
    };
}
pub(crate) use common_fields;

/// A method's parameter struct: the fields that are its own, and those that every method here has. It is flat, as the harness wants
/// it: unknown names are refused by name.
macro_rules! method_struct {
    (
        [ $(#[$about:meta])* $name:ident { $( $(#[$own_doc:meta])* $own:ident : $own_type:ty = $own_default:expr, )* } ]
        $( $(#[$doc:meta])* $field:ident : $type:ty = $default:expr, )*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[$own_doc])* pub $own: $own_type, )*
            $( $(#[$doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $own: $own_default, )* $( $field: $default, )* }
            }
        }

        impl $name {
            /// The parameters that all methods have.
            pub(crate) fn common(&self) -> $crate::params::Common {
                $crate::params::Common { $( $field: self.$field, )* }
            }
        }
    };
}
pub(crate) use method_struct;

/// Declares a method's parameter struct.
macro_rules! parameters {
    ($($struct:tt)*) => {
        $crate::params::common_fields! { method_struct [ $($struct)* ] }
    };
}
pub(crate) use parameters;

macro_rules! common_struct {
    ( $( $(#[$doc:meta])* $field:ident : $type:ty = $default:expr, )* ) => {
        /// The parameters that all methods have.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Common {
            $( $(#[$doc])* pub(crate) $field: $type, )*
        }
    };
}
pub(crate) use common_struct;

common_fields! { common_struct }

impl Common {
    /// Checks ranges.
    pub(crate) fn validate(&self, task: &str) -> Result<(), ParamError> {
        for (key, value, least) in [
            ("updates", self.updates, 1),
            ("prompts", self.prompts as u64, 1),
            // One answer has nothing beside it to be better than.
            ("group", self.group as u64, 2),
            ("most_rounds", self.most_rounds as u64, 1),
            ("max_tokens", self.max_tokens as u64, 1),
            ("eval_every", self.eval_every, 1),
            ("eval_problems", self.eval_problems as u64, 1),
            ("eval_samples", self.eval_samples as u64, 1),
        ] {
            at_least(key, value, least)?;
        }
        above_zero("temperature", self.temperature)?;
        above_zero("gradient_clip", self.gradient_clip)?;
        above_zero("entropy_low", self.entropy_low)?;
        for (key, value) in [
            ("learning_rate", self.learning_rate),
            ("weight_decay", self.weight_decay),
            ("kl_coefficient", self.kl_coefficient),
            ("eval_temperature", self.eval_temperature),
        ] {
            between(key, value, 0.0, f64::MAX)?;
        }
        between("eval_top_p", self.eval_top_p, f64::MIN_POSITIVE, 1.0)?;
        if self.entropy_high.is_nan() || self.entropy_high <= self.entropy_low {
            return Err(range(
                "entropy_high",
                format!("must be above entropy_low, not {}", self.entropy_high),
            ));
        }
        if let Some(task) = tasks::find(task) {
            let set = task.set(self.difficulty());
            set.map_err(|message| range("terms", format!("does not fit: {message}")))?;
            if task.symbols() {
                self.start().check("start_", task.name)?;
            }
        }
        Ok(())
    }

    /// The numbers of generated problems.
    pub(crate) fn difficulty(&self) -> Difficulty {
        Difficulty {
            terms: self.terms,
            digits: self.digits,
            modulus: self.modulus,
            numbers: self.numbers,
            largest: self.largest,
            target: self.target,
        }
    }

    /// How a policy that is trained here begins.
    pub(crate) fn start(&self) -> SftParams {
        SftParams {
            layers: self.start_layers,
            width: self.start_width,
            heads: self.start_heads,
            kv_heads: self.start_kv_heads,
            feed_forward: self.start_feed_forward,
            updates: self.start_updates,
            batch_size: self.start_batch,
            learning_rate: self.start_learning_rate,
            target_accuracy: self.start_accuracy,
            max_tokens: self.max_tokens,
            terms: self.terms,
            digits: self.digits,
            modulus: self.modulus,
            numbers: self.numbers,
            largest: self.largest,
            target: self.target,
            ..SftParams::default()
        }
    }

    /// ERA with these thresholds and otherwise as the formula has it: what entropies are judged by.
    pub(crate) fn thresholds(&self) -> Result<ResponseEra, TrainError> {
        let config = ResponseEraConfig {
            entropy_low: self.entropy_low,
            entropy_high: self.entropy_high,
            ..ResponseEraConfig::formula()
        };
        ResponseEra::new(config).map_err(|error| TrainError::Other(error.to_string()))
    }

    /// How the tokens' losses become one.
    pub(crate) fn aggregation(&self) -> Aggregation {
        self.reduction.into()
    }

    /// How answers are sampled to be learnt from.
    pub(crate) fn sampling(&self, stop: Vec<u32>) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: 1.0,
            top_k: None,
            max_tokens: self.max_tokens,
            stop,
        }
    }

    /// How answers are sampled to be evaluated.
    pub(crate) fn eval_sampling(&self, stop: Vec<u32>) -> Sampling {
        Sampling {
            temperature: self.eval_temperature,
            top_p: self.eval_top_p,
            ..self.sampling(stop)
        }
    }

    /// What a run is expected to cost, at the rates that the small policy and SmolLM2 reach on one core with AVX-512.
    pub(crate) fn cost(&self, task: &str) -> Cost {
        let symbols = tasks::find(task).is_none_or(tasks::TaskInfo::symbols);
        let size = if symbols { self.start().size() } else { 1.35e8 };
        // Tokens that one core generates in a second, and trains on.
        let (sampled, trained) = (4e10 / size, 1.5e10 / size);
        let length = self.max_tokens as f64;
        let answers = (self.prompts * self.group) as f64 * length;
        let evaluated = (self.eval_problems * self.eval_samples) as f64 * length;
        let evaluations = (self.updates / self.eval_every + 2) as f64;
        let updates = self.updates as f64 * answers * (1.5 / sampled + 1.5 / trained);
        // Weights, gradient, two moments, the sampler's copy and the starting policy; and what a batch keeps.
        let kept = if self.micro_batch == 0 {
            (self.prompts * self.group) as f64
        } else {
            self.micro_batch as f64
        };
        Cost {
            seconds: 1.0 + updates + evaluations * evaluated / sampled,
            memory: (1.5e8 + 24.0 * size + kept * 2.0 * length * size.sqrt() * 200.0) as u64,
        }
    }
}

pub(crate) fn range(key: &str, message: String) -> ParamError {
    ParamError::Range {
        key: key.to_owned(),
        message,
    }
}

pub(crate) fn at_least(key: &str, value: u64, least: u64) -> Result<(), ParamError> {
    if value >= least {
        Ok(())
    } else {
        Err(range(key, format!("must be at least {least}, not {value}")))
    }
}

pub(crate) fn above_zero(key: &str, value: f64) -> Result<(), ParamError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(range(key, format!("must be above 0, not {value}")))
    }
}

pub(crate) fn between(key: &str, value: f64, min: f64, max: f64) -> Result<(), ParamError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let message = if max == f64::MAX {
        format!("must be at least {min}, not {value}")
    } else {
        format!("must lie between {min} and {max}, not {value}")
    };
    Err(range(key, message))
}

/// The parameters of a cell in their own type.
pub(crate) fn of<P: ParamSet>(cell: &Cell) -> Result<P, TrainError> {
    method::typed(&cell.task, &cell.params).map_err(|error| TrainError::Other(error.to_string()))
}

/// An error of the arithmetic below, as the run's.
pub(crate) fn refused(error: impl std::error::Error) -> TrainError {
    TrainError::Other(error.to_string())
}

/// ERA as the formula and the official scripts have it: what entropies are judged by where no thresholds are given.
pub(crate) fn thresholds_by_default() -> Result<ResponseEra, TrainError> {
    ResponseEra::new(ResponseEraConfig::formula()).map_err(refused)
}
