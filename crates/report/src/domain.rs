//! What a suite is judged by: which numbers of its runs tables, figures and summary show, and how they are called.

use crate::study::Study;

/// The name of the suite of image classification.
const VISION: &str = "vision";
/// The name of the suite of language models under reinforcement learning.
const LLM: &str = "llm";

/// The kind of a study. Suites that are not named here record returns, as control does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Control,
    Vision,
    Llm,
}

/// At which of the steps at which a run recorded a metric its number is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The last one.
    Last,
    /// Step 0, before the first update; a run that recorded nothing there has no such number.
    Start,
    /// All of them: their mean.
    Throughout,
}

/// A number of a run.
#[derive(Debug)]
pub(crate) struct Measure {
    /// The metric; the mean of its values where it is a series.
    pub(crate) metric: &'static str,
    pub(crate) taken: Taken,
    /// What it is, in words.
    pub(crate) about: &'static str,
    /// Its word in the names of macros, which no other measure of its domain has.
    pub(crate) word: &'static str,
    /// What an axis of a figure calls it.
    pub(crate) label: &'static str,
    /// What multiplies it: 100 where a share is printed as per cent.
    pub(crate) factor: f64,
    /// Decimals; `None` where they follow the size of the values on a task.
    pub(crate) decimals: Option<usize>,
}

impl Measure {
    /// A share, printed as per cent.
    const fn share(metric: &'static str, label: &'static str, decimals: usize) -> Self {
        Self {
            metric,
            taken: Taken::Last,
            about: "",
            word: "",
            label,
            factor: 100.0,
            decimals: Some(decimals),
        }
    }

    /// A number that is printed as it is recorded.
    const fn plain(metric: &'static str, label: &'static str) -> Self {
        Self {
            metric,
            taken: Taken::Last,
            about: "",
            word: "",
            label,
            factor: 1.0,
            decimals: Some(3),
        }
    }

    const fn called(self, about: &'static str, word: &'static str) -> Self {
        Self {
            about,
            word,
            ..self
        }
    }

    const fn taken(self, taken: Taken) -> Self {
        Self { taken, ..self }
    }

    /// The number as a sentence has it that begins with `IQM of the`.
    pub(crate) fn words(&self) -> String {
        match self.taken {
            Taken::Last => format!("last {}", self.about),
            Taken::Start => format!("{} before the first update", self.about),
            Taken::Throughout => format!("{}, mean over all updates,", self.about),
        }
    }
}

const RETURN: Measure = Measure {
    decimals: None,
    ..Measure::plain("eval/return", "return").called("return", "return")
};
const TOP_ONE: Measure =
    Measure::share("eval/top1", "top-1 (%)", 2).called("top-1 accuracy (per cent)", "top-1");
pub(crate) const TOP_FIVE: Measure =
    Measure::share("eval/top5", "top-5 (%)", 2).called("top-5 accuracy (per cent)", "top-5");
pub(crate) const NLL: Measure =
    Measure::plain("eval/nll", "NLL").called("negative log-likelihood (nats)", "NLL");
pub(crate) const ECE: Measure = Measure::share("eval/ece", "ECE (%)", 2)
    .called("expected calibration error (percentage points)", "ECE");
pub(crate) const BRIER: Measure =
    Measure::plain("eval/brier", "Brier").called("Brier score", "Brier");
pub(crate) const CONFIDENCE: Measure = Measure::share("eval/confidence_mean", "confidence (%)", 1)
    .called("mean confidence (per cent)", "confidence");

pub(crate) const ACCURACY: Measure = Measure::share("eval/accuracy", "accuracy (%)", 1).called(
    "accuracy (per cent, mean over problems and their samples)",
    "accuracy",
);
pub(crate) const START_ACCURACY: Measure =
    Measure::share("eval/accuracy", "accuracy at start (%)", 1)
        .called(ACCURACY.about, "start accuracy")
        .taken(Taken::Start);
pub(crate) const PASS_AT_ONE: Measure = Measure::share("eval/pass@1", "pass@1 (%)", 1)
    .called("pass@1 (per cent, unbiased)", "pass at 1");
const PASS_AT_TWO: Measure = Measure::share("eval/pass@2", "pass@2 (%)", 1)
    .called("pass@2 (per cent, unbiased)", "pass at 2");
const PASS_AT_FOUR: Measure = Measure::share("eval/pass@4", "pass@4 (%)", 1)
    .called("pass@4 (per cent, unbiased)", "pass at 4");
const PASS_AT_EIGHT: Measure = Measure::share("eval/pass@8", "pass@8 (%)", 1)
    .called("pass@8 (per cent, unbiased)", "pass at 8");
const PASS_AT_SIXTEEN: Measure = Measure::share("eval/pass@16", "pass@16 (%)", 1)
    .called("pass@16 (per cent, unbiased)", "pass at 16");
pub(crate) const PASS_AT_MOST: Measure = Measure::share("eval/pass@32", "pass@32 (%)", 1)
    .called("pass@32 (per cent, unbiased)", "pass at 32");
pub(crate) const ENTROPY: Measure = Measure::plain("eval/entropy", "entropy (nats)")
    .called("mean entropy (nats) of response tokens", "entropy");
pub(crate) const START_ENTROPY: Measure = Measure::plain("eval/entropy", "entropy at start (nats)")
    .called(ENTROPY.about, "start entropy")
    .taken(Taken::Start);
pub(crate) const RESPONSE_ENTROPY: Measure =
    Measure::plain("eval/response_entropy", "H_resp (nats)").called(
        "mean over responses of the mean entropy (nats) of their most uncertain fifth of tokens",
        "response entropy",
    );
/// No run is promised to keep it: ERA changes the update of responses below it and nothing else.
pub(crate) const THRESHOLD: Measure = Measure::plain("eval/entropy_low", "w_low (nats)").called(
    "threshold w_low (nats) below which ERA changes a response's update (no bound on its entropy)",
    "threshold",
);
pub(crate) const LOW_SHARE: Measure = Measure::share("eval/low_share", "below w_low (%)", 1)
    .called("per cent of responses below w_low", "low share");
pub(crate) const HIGH_SHARE: Measure = Measure::share("eval/high_share", "above w_high (%)", 1)
    .called("per cent of responses above w_high", "high share");
pub(crate) const LENGTH: Measure = Measure {
    decimals: Some(1),
    ..Measure::plain("eval/length", "length (tokens)").called("response length (tokens)", "length")
};
pub(crate) const STOPPED: Measure = Measure::share("eval/stopped", "stopped (%)", 1).called(
    "per cent of responses that ended by themselves",
    "stopped share",
);
pub(crate) const KL_FROM_START: Measure = Measure::plain("eval/kl_start", "KL to start (nats)")
    .called(
        "estimate of the KL divergence (nats) from the starting policy",
        "divergence",
    );
pub(crate) const NO_SIGNAL: Measure =
    Measure::share("train/no_signal", "groups without signal (%)", 1)
        .called("per cent of groups without a signal", "no signal share")
        .taken(Taken::Throughout);

/// The pass@k that are recorded, with their k.
pub(crate) const PASS_AT: [(u32, &Measure); 6] = [
    (1, &PASS_AT_ONE),
    (2, &PASS_AT_TWO),
    (4, &PASS_AT_FOUR),
    (8, &PASS_AT_EIGHT),
    (16, &PASS_AT_SIXTEEN),
    (32, &PASS_AT_MOST),
];

/// Signs of trouble that a run raises while it trains (0 or 1 at each update).
#[derive(Debug)]
pub(crate) struct Alarm {
    pub(crate) metric: &'static str,
    /// What it is, in words.
    pub(crate) about: &'static str,
    /// Its word in the names of macros.
    pub(crate) word: &'static str,
}

pub(crate) const COLLAPSE: Alarm = Alarm {
    metric: "alarm/entropy_collapse",
    about: "entropy collapse",
    word: "collapse alarms",
};
pub(crate) const SILENCE: Alarm = Alarm {
    metric: "alarm/no_signal",
    about: "groups without a signal",
    word: "no signal alarms",
};

/// Where a suite records entropies, and what they are entropies of.
#[derive(Debug)]
pub(crate) struct EntropyMetrics {
    pub(crate) mean: &'static str,
    pub(crate) lowest: &'static str,
    pub(crate) bound: &'static str,
    pub(crate) violations: &'static str,
    /// Share of standard deviations at the smallest one allowed, for policies.
    pub(crate) clipped: Option<&'static str>,
    /// The learned compensation, for policies.
    pub(crate) delta: Option<&'static str>,
    /// Whether the lowest entropy and the violations are those of all evaluations and not of the last alone.
    pub(crate) all_training: bool,
    /// What the numbers are, in words.
    pub(crate) words: EntropyWords,
}

/// What entropies are called beside their macros.
#[derive(Debug)]
pub(crate) struct EntropyWords {
    pub(crate) mean: &'static str,
    pub(crate) lowest: &'static str,
    pub(crate) bound: &'static str,
    pub(crate) violations: &'static str,
}

const OF_POLICIES: &EntropyMetrics = &EntropyMetrics {
    mean: "policy/entropy_mean",
    lowest: "policy/entropy_min",
    bound: "policy/bound",
    violations: "policy/bound_violations",
    clipped: Some("policy/sigma_min_clipped"),
    delta: Some("era/delta"),
    all_training: true,
    words: EntropyWords {
        mean: "mean policy entropy (nats) at the last evaluation",
        lowest: "lowest policy entropy (nats) of any evaluated state",
        bound: "target (nats) of the policy entropy",
        violations: "per cent of evaluated states below the target entropy",
    },
};

const OF_PREDICTIONS: &EntropyMetrics = &EntropyMetrics {
    mean: "eval/entropy_mean",
    lowest: "eval/entropy_min",
    bound: "eval/bound",
    violations: "eval/bound_violations",
    clipped: None,
    delta: None,
    all_training: false,
    words: EntropyWords {
        mean: "mean entropy (nats) of test predictions at the last evaluation",
        lowest: "lowest entropy (nats) of any test prediction at the last evaluation",
        bound: "bound (nats) on the entropy of predictions",
        violations: "per cent of test predictions below the bound at the last evaluation",
    },
};

impl Domain {
    /// The domain of a study's suite.
    pub(crate) fn of(study: &Study) -> Self {
        let first = study.cells.first();
        first.map_or(Self::Control, |cell| Self::of_suite(&cell.suite))
    }

    /// The domain of the suite of this name.
    pub(crate) fn of_suite(suite: &str) -> Self {
        match suite {
            VISION => Self::Vision,
            LLM => Self::Llm,
            _ => Self::Control,
        }
    }

    /// What is printed of every run; the first is the score by which methods are compared.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::Control => &[RETURN],
            Self::Vision => &[TOP_ONE, TOP_FIVE, NLL, ECE, BRIER, CONFIDENCE],
            Self::Llm => &[
                ACCURACY,
                START_ACCURACY,
                PASS_AT_ONE,
                PASS_AT_TWO,
                PASS_AT_FOUR,
                PASS_AT_EIGHT,
                PASS_AT_SIXTEEN,
                PASS_AT_MOST,
                ENTROPY,
                START_ENTROPY,
                RESPONSE_ENTROPY,
                THRESHOLD,
                LOW_SHARE,
                HIGH_SHARE,
                LENGTH,
                STOPPED,
                KL_FROM_START,
                NO_SIGNAL,
            ],
        }
    }

    /// What its runs may give alarm of.
    pub(crate) fn alarms(self) -> &'static [Alarm] {
        match self {
            Self::Control | Self::Vision => &[],
            Self::Llm => &[COLLAPSE, SILENCE],
        }
    }

    /// Whether a table or figure of this name, if there is one, is of this domain.
    pub(crate) fn has(self, name: &str) -> bool {
        let of = |domain: &str| {
            name.strip_prefix(domain)
                .is_some_and(|rest| rest.starts_with('-'))
        };
        match self {
            Self::Control => !of(VISION) && !of(LLM),
            Self::Vision => of(VISION),
            Self::Llm => of(LLM),
        }
    }

    /// The score by which methods are compared.
    pub(crate) fn score(self) -> &'static Measure {
        &self.measures()[0]
    }

    /// What a step of a run is: alone, in thousands, in millions.
    pub(crate) fn steps(self) -> [&'static str; 3] {
        match self {
            Self::Control => [
                "environment steps",
                "environment steps (thousands)",
                "environment steps (millions)",
            ],
            Self::Vision | Self::Llm => ["updates", "updates (thousands)", "updates (millions)"],
        }
    }

    /// The entropy of single states or predictions and the bound that a method promises for each; `None` for language
    /// models, where no method promises one: there entropies are measures like others, and ERA's `w_low` is a threshold.
    pub(crate) fn entropy(self) -> Option<&'static EntropyMetrics> {
        match self {
            Self::Control => Some(OF_POLICIES),
            Self::Vision => Some(OF_PREDICTIONS),
            Self::Llm => None,
        }
    }

    /// Whether scores of different tasks are brought to one scale. Accuracies are not: they have one.
    pub(crate) fn normalises(self) -> bool {
        self == Self::Control
    }

    /// Most pairs of methods that are compared one by one.
    pub(crate) fn most_pairs(self) -> usize {
        match self {
            Self::Control => usize::MAX,
            // A sweep over bounds and strengths would fill pages: see `analysis::pairs`.
            Self::Vision | Self::Llm => 12,
        }
    }
}
