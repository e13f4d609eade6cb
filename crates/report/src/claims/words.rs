//! How the numbers of claims are written.

use era_stats::Interval;

use super::file::{Claim, Compare, Region, Size, Test};
use crate::number::fixed;

/// How a test's numbers are written.
pub(super) struct Words<'a> {
    unit: &'a str,
    decimals: usize,
    /// Whether a number above zero has a sign.
    signed: bool,
    /// The largest number that there can be.
    largest: f64,
}

/// Decimals of the size of an effect that nothing here tests.
const DECIMALS: usize = 2;

/// The size of an effect by the published numbers: `ratio 1.43`, `difference +0.69 points`.
pub(super) fn size_words(claim: &Claim, size: f64) -> String {
    let kind = claim.size.as_ref().map_or(Size::Value, |kind| kind.value);
    let has_unit = matches!(kind, Size::Difference | Size::Value);
    let words = Words {
        unit: claim.test.as_ref().map_or("", |test| &test.unit),
        decimals: claim.test.as_ref().map_or(DECIMALS, |test| test.decimals),
        signed: kind == Size::Difference,
        largest: f64::INFINITY,
    };
    let number = match has_unit {
        true => words.with_unit(size),
        false => words.number(size),
    };
    format!("{} {number}", kind.name())
}

impl<'a> Words<'a> {
    pub(super) fn of(test: &'a Test) -> Self {
        let compare = test.compare.value;
        Self {
            unit: match compare {
                Compare::Overhead => "%",
                _ => &test.unit,
            },
            decimals: test.decimals,
            signed: matches!(compare, Compare::Difference | Compare::Overhead),
            largest: match compare {
                Compare::Improvement => 1.0,
                _ => f64::INFINITY,
            },
        }
    }

    pub(super) fn number(&self, value: f64) -> String {
        let text = fixed(value, self.decimals);
        let zero = text.chars().all(|c| matches!(c, '0' | '.'));
        match self.signed && value > 0.0 && !zero {
            true => format!("+{text}"),
            false => text,
        }
    }

    pub(super) fn with_unit(&self, value: f64) -> String {
        self.add_unit(self.number(value))
    }

    fn add_unit(&self, text: String) -> String {
        match self.unit {
            "" => text,
            unit => format!("{text} {unit}"),
        }
    }

    /// Where the claim says that the number lies.
    pub(super) fn region(&self, region: Region) -> String {
        self.add_unit(match (region.low.is_finite(), region.high.is_finite()) {
            (true, false) => format!("above {}", self.number(region.low)),
            (false, true) => format!("below {}", self.number(region.high)),
            _ => format!(
                "within {} and {}",
                self.number(region.low),
                self.number(region.high)
            ),
        })
    }

    /// The smallest estimate that would have shown the claim, given an interval that reaches as far to either side of it as this one.
    pub(super) fn smallest(&self, value: f64, interval: Interval, region: Region) -> String {
        match (region.low.is_finite(), region.high.is_finite()) {
            (true, false) => {
                let smallest = region.low + (value - interval.low);
                match smallest > self.largest {
                    true => "no value, however large".to_owned(),
                    false => self.with_unit(smallest),
                }
            }
            (false, true) => self.with_unit(region.high - (interval.high - value)),
            _ => {
                let width = fixed((interval.high - interval.low) / 2.0, self.decimals);
                self.add_unit(format!("nothing finer than {width} either way"))
            }
        }
    }
}
