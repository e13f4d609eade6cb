//! What a suite is judged by: which numbers of its runs tables, figures and summary show, and how they are called.

use crate::study::Study;

/// The name of the suite of image classification.
const VISION: &str = "vision";

/// The kind of a study. Suites that are not named here record returns, as control does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Control,
    Vision,
}

/// A number that every run has at its last evaluation.
#[derive(Debug)]
pub(crate) struct Measure {
    /// The metric; the mean of its values where it is a series.
    pub(crate) metric: &'static str,
    /// What it is, in words.
    pub(crate) about: &'static str,
    /// Its word in the names of macros.
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
        match study.cells.first() {
            Some(cell) if cell.suite == VISION => Self::Vision,
            _ => Self::Control,
        }
    }

    /// What is printed of every run; the first is the score by which methods are compared.
    pub(crate) fn measures(self) -> &'static [Measure] {
        match self {
            Self::Control => &[RETURN],
            Self::Vision => &[TOP_ONE, TOP_FIVE, NLL, ECE, BRIER, CONFIDENCE],
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
            Self::Vision => ["updates", "updates (thousands)", "updates (millions)"],
        }
    }

    pub(crate) fn entropy(self) -> &'static EntropyMetrics {
        match self {
            Self::Control => OF_POLICIES,
            Self::Vision => OF_PREDICTIONS,
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
            Self::Vision => 12,
        }
    }
}
