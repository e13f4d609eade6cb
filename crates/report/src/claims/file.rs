//! The file of claims as it stands, and whether it makes sense by itself. What its keys mean is said at its head.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use era_harness::{Cell, Params, spec};
use miette::NamedSource;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::error::{ClaimFault, ClaimProblem, ClaimsError};
use crate::published::{Published, same};
use crate::study::labelled;

/// The format that is read here.
pub(super) const FORMAT: u32 = 1;

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    format: Spanned<u32>,
    pub(super) claims: Vec<Claim>,
}

/// A claim; what its fields mean stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    pub(super) id: Spanned<String>,
    pub(super) statement: String,
    pub(super) domain: ClaimDomain,
    pub(super) sources: Vec<Spanned<String>>,
    pub(super) r#where: String,
    #[serde(default)]
    pub(super) published: Vec<Spanned<String>>,
    pub(super) size: Option<Spanned<Size>>,
    pub(super) test: Option<Test>,
    pub(super) untestable: Option<Untestable>,
}

/// What a claim is about: the group that it is printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimDomain {
    /// Continuous control.
    Control,
    /// Image classification.
    Vision,
    /// Language models.
    Llm,
}

impl ClaimDomain {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 3] = [Self::Control, Self::Vision, Self::Llm];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Control => "continuous control",
            Self::Vision => "image classification",
            Self::Llm => "language models",
        }
    }
}

/// Why a claim cannot be tested here, and what it would take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Untestable {
    pub(super) why: String,
    pub(super) needs: String,
}

/// How the published numbers are held against each other to give the size of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Size {
    /// The first less the second.
    Difference,
    /// The first over the second.
    Ratio,
    /// The end of a curve over its beginning.
    Kept,
    /// The first.
    Value,
}

impl Size {
    /// Whether what a test estimates is such a size.
    fn belongs_to(self, test: &Test) -> bool {
        match self {
            Self::Difference => test.compare.value == Compare::Difference,
            Self::Ratio => test.compare.value == Compare::Ratio,
            Self::Kept => test.compare.value == Compare::Value && test.taken == Moment::Kept,
            Self::Value => true,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Difference => "size: difference",
            Self::Ratio => "size: ratio",
            Self::Kept => "size: kept",
            Self::Value => "size: value",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Ratio => "ratio",
            Self::Kept => "kept",
            Self::Value => "value",
        }
    }
}

/// How runs are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compare {
    /// IQM of the method's runs less that of the baseline's.
    Difference,
    /// IQM of the method's runs over that of the baseline's.
    Ratio,
    /// Probability that a run of the method is higher than one of the baseline.
    Improvement,
    /// IQM over pairs of how much more processor time a run of the method took than one of the baseline, in per cent.
    Overhead,
    /// IQM of the method's runs.
    Value,
    /// The number at every evaluation of every run: one exception refutes.
    Every,
}

impl Compare {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Difference => "difference",
            Self::Ratio => "ratio",
            Self::Improvement => "improvement",
            Self::Overhead => "overhead",
            Self::Value => "value",
            Self::Every => "every",
        }
    }

    pub(super) fn of_pairs(self) -> bool {
        !matches!(self, Self::Value | Self::Every)
    }
}

/// At which evaluations of a run its number is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Moment {
    /// The last one.
    #[default]
    Last,
    /// All of them: their mean.
    Throughout,
    /// The last one over the first.
    Kept,
}

/// How a claim is tested.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub(super) experiments: Vec<Spanned<String>>,
    /// What is smaller than in the paper, by scale; nothing where a scale is the paper's.
    pub(super) scales: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) tasks: Vec<Spanned<String>>,
    pub(super) of: Vec<Spanned<Side>>,
    #[serde(default)]
    pub(super) against: Vec<Spanned<Side>>,
    pub(super) compare: Spanned<Compare>,
    #[serde(default)]
    pub(super) metrics: Vec<Spanned<String>>,
    pub(super) less: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) taken: Moment,
    #[serde(default)]
    pub(super) normalised: bool,
    #[serde(default = "one")]
    pub(super) factor: f64,
    #[serde(default)]
    pub(super) unit: String,
    #[serde(default = "two")]
    pub(super) decimals: usize,
    above: Option<f64>,
    below: Option<f64>,
    within: Option<[f64; 2]>,
    pub(super) caveat: Option<String>,
}

fn one() -> f64 {
    1.0
}

fn two() -> usize {
    2
}

/// A method, with the parameters that tell which configuration of it is meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Side {
    pub(super) method: String,
    pub(super) params: Params,
}

impl Side {
    pub(super) fn label(&self) -> String {
        labelled(&self.method, self.params.iter())
    }

    pub(super) fn describes(&self, cell: &Cell) -> bool {
        let has = |(name, value): (&String, &Value)| {
            cell.params.get(name).is_some_and(|own| same(own, value))
        };
        cell.method == self.method && self.params.iter().all(has)
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SideVisitor)
    }
}

struct SideVisitor;

impl<'de> Visitor<'de> for SideVisitor {
    type Value = Side;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a method, or a mapping with `method` and parameters")
    }

    fn visit_str<E: Error>(self, method: &str) -> Result<Side, E> {
        Ok(Side {
            method: method.to_owned(),
            params: Params::new(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Side, A::Error> {
        let (mut method, mut params) = (None, Params::new());
        while let Some(key) = entries.next_key::<String>()? {
            if key == "method" {
                method = Some(entries.next_value()?);
            } else {
                params.insert(key, entries.next_value()?);
            }
        }
        let method = method.ok_or_else(|| A::Error::missing_field("method"))?;
        Ok(Side { method, params })
    }
}

/// Where a number has to lie for a claim to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Test {
    /// `None` where not exactly one bound is given.
    fn bounds(&self) -> Option<Region> {
        let region = |low: f64, high: f64| Region { low, high };
        match (self.above, self.below, self.within) {
            (Some(low), None, None) => Some(region(low, f64::INFINITY)),
            (None, Some(high), None) => Some(region(f64::NEG_INFINITY, high)),
            (None, None, Some([low, high])) if low < high => Some(region(low, high)),
            _ => None,
        }
    }

    /// Where the claim says that the number lies.
    pub(super) fn region(&self) -> Region {
        // Checked when the file was read.
        self.bounds().unwrap_or(Region {
            low: f64::NAN,
            high: f64::NAN,
        })
    }

    fn check(&self, problems: &mut Vec<ClaimProblem>) {
        let compare = self.compare.value;
        let mut key = |wrong: bool, verb: &'static str, key: &'static str| {
            let compare = compare.name();
            if wrong {
                let fault = ClaimFault::Key { compare, verb, key };
                problems.push(ClaimProblem::at(fault, self.compare.referenced));
            }
        };
        let (needs, no_use) = ("needs", "has no use for");
        let of_runs = compare != Compare::Overhead;
        key(self.of.is_empty(), needs, "of");
        key(self.experiments.is_empty(), needs, "experiments");
        key(self.scales.is_empty(), needs, "scales");
        key(
            compare.of_pairs() && self.against.is_empty(),
            needs,
            "against",
        );
        key(
            !compare.of_pairs() && !self.against.is_empty(),
            no_use,
            "against",
        );
        key(of_runs && self.metrics.is_empty(), needs, "metrics");
        key(!of_runs && !self.metrics.is_empty(), no_use, "metrics");
        key(!of_runs && self.less.is_some(), no_use, "less");
        key(
            self.normalised && (!compare.of_pairs() || !of_runs),
            no_use,
            "normalised",
        );
        if self.bounds().is_none() {
            problems.push(ClaimProblem::at(ClaimFault::Bound, self.compare.referenced));
        }
    }
}

impl File {
    /// Reads the text of the file, and checks what can be checked without cells.
    pub(super) fn read(
        text: &Arc<NamedSource<String>>,
        published: &Published,
    ) -> Result<Self, ClaimsError> {
        let options = serde_saphyr::options! { with_snippet: false };
        let file: Self = serde_saphyr::from_str_with_options(text.inner(), options)
            .map_err(|error| ClaimsError::shape(text, &error))?;
        let mut problems = Vec::new();
        if file.format.value != FORMAT {
            let fault = ClaimFault::Format(file.format.value);
            problems.push(ClaimProblem::at(fault, file.format.referenced));
        }
        let mut seen = BTreeSet::new();
        for claim in &file.claims {
            if !seen.insert(&claim.id.value) {
                let fault = ClaimFault::Twice(claim.id.value.clone());
                problems.push(ClaimProblem::at(fault, claim.id.referenced));
            }
            claim.check(published, &mut problems);
        }
        match problems.is_empty() {
            true => Ok(file),
            false => Err(ClaimsError::new(text, problems)),
        }
    }
}

impl Claim {
    fn check(&self, published: &Published, problems: &mut Vec<ClaimProblem>) {
        let sources: Vec<&str> = published.sources().collect();
        for source in &self.sources {
            if published.source(&source.value).is_none() {
                problems.push(unknown("source", source, &sources));
            }
        }
        let ids: Vec<&str> = published.ids().collect();
        for id in &self.published {
            if published.statement(&id.value).is_none() {
                problems.push(unknown("published number", id, &ids));
            }
        }
        match (&self.test, &self.untestable) {
            (Some(test), None) => test.check(problems),
            (None, Some(_)) => {}
            _ => {
                let fault = ClaimFault::TestOrNot(self.id.value.clone());
                problems.push(ClaimProblem::at(fault, self.id.referenced));
            }
        }
        if let Some(size) = &self.size {
            let fault = self.size_fault(size.value, published);
            problems.extend(fault.map(|fault| ClaimProblem::at(fault, size.referenced)));
        }
    }

    /// What is wrong with the size of the effect: another one than the test estimates, or not to be had from the published numbers.
    fn size_fault(&self, size: Size, published: &Published) -> Option<ClaimFault> {
        if let Some(test) = self.test.as_ref().filter(|test| !size.belongs_to(test)) {
            return Some(ClaimFault::Key {
                compare: test.compare.value.name(),
                verb: "has no use for",
                key: size.key(),
            });
        }
        let known = |id: &Spanned<String>| published.statement(&id.value).is_some();
        if !self.published.iter().all(known) || self.published_size(published).is_some() {
            return None;
        }
        let needed = match size {
            Size::Difference | Size::Ratio => "two numbers",
            Size::Kept => "one curve",
            Size::Value => "a number",
        };
        let size = size.name();
        Some(ClaimFault::Size { size, needed })
    }

    /// The size of the effect, by the published numbers.
    pub(super) fn published_size(&self, published: &Published) -> Option<f64> {
        let ids = self.published.iter();
        let numbers: Option<Vec<_>> = ids.map(|id| published.statement(&id.value)).collect();
        match (self.size.as_ref()?.value, numbers?.as_slice()) {
            (Size::Difference, [own, other]) => Some(own.last - other.last),
            (Size::Ratio, [own, other]) if other.last > 0.0 => Some(own.last / other.last),
            (Size::Kept, [own]) if own.first > 0.0 => Some(own.last / own.first),
            (Size::Value, [own, ..]) => Some(own.last),
            _ => None,
        }
    }
}

/// A name that is none of the valid ones.
pub(super) fn unknown(what: &'static str, name: &Spanned<String>, valid: &[&str]) -> ClaimProblem {
    let fault = ClaimFault::Unknown {
        what,
        name: name.value.clone(),
    };
    ClaimProblem::at(fault, name.referenced).help(spec::hint(what, &name.value, valid))
}
