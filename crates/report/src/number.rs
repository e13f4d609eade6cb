//! Numbers as they are printed: one text for tables, macros, figures and terminal.

use era_stats::Estimate;

/// A number and its interval as text, with the exact values behind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Printed {
    pub(crate) exact: Estimate,
    pub(crate) value: String,
    pub(crate) low: Option<String>,
    pub(crate) high: Option<String>,
}

impl Printed {
    /// `estimate` with as many decimals in its interval as in its value.
    pub(crate) fn new(estimate: Estimate, decimals: usize) -> Self {
        let end = |pick: fn(era_stats::Interval) -> f64| {
            estimate
                .interval
                .map(|interval| fixed(pick(interval), decimals))
        };
        Self {
            exact: estimate,
            value: fixed(estimate.value, decimals),
            low: end(|interval| interval.low),
            high: end(|interval| interval.high),
        }
    }
}

/// `value` with this many decimals and commas between thousands: `-3,412.5`. What rounds to zero has no sign.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !zero { "-" } else { "" };
    format!("{sign}{grouped}{fraction}")
}

/// A share in [0, 1] as per cent with one decimal, where nothing but zero prints as 0.
pub(crate) fn per_cent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0".into(),
        few if few < 0.1 => "<0.1".into(),
        most if most > 99.9 && most < 100.0 => ">99.9".into(),
        some => fixed(some, 1),
    }
}

/// Decimals that show about three figures of the largest of `values`: 0 from 100 on, at most 3.
pub(crate) fn decimals(values: impl IntoIterator<Item = f64>) -> usize {
    let largest = values
        .into_iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    match largest {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_and_one_sign() {
        for (value, decimals, text) in [
            (3412.4, 0, "3,412"),
            (-3412.5, 1, "-3,412.5"),
            (1_234_567.0, 0, "1,234,567"),
            (999.0, 0, "999"),
            (-0.04, 1, "0.0"),
            (-0.05, 2, "-0.05"),
            (0.0, 2, "0.00"),
        ] {
            assert_eq!(fixed(value, decimals), text);
        }
    }

    #[test]
    fn small_shares_do_not_print_as_none() {
        for (share, text) in [
            (0.0, "0"),
            (1e-6, "<0.1"),
            (0.1234, "12.3"),
            (0.99999, ">99.9"),
            (1.0, "100.0"),
        ] {
            assert_eq!(per_cent(share), text);
        }
    }

    #[test]
    fn decimals_follow_the_largest() {
        for (values, expected) in [
            ([3412.0, 1.0], 0),
            ([-12.0, 1.0], 1),
            ([1.0, 0.2], 2),
            ([0.5, 0.2], 3),
        ] {
            assert_eq!(decimals(values), expected);
        }
    }
}
