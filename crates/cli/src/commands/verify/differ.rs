//! Where two runs that should be equal part.

use std::path::Path;

use era_harness::record::Row;
use era_harness::sealed;

use crate::fault::Fault;

/// How the rows of the run in `other` differ from those of the run in `first`, as the end of a sentence; none where they are equal
/// bit for bit.
pub(super) fn difference(first: &Path, other: &Path) -> Result<Option<String>, Fault> {
    let read = |dir: &Path| sealed::read(&dir.join(sealed::METRICS));
    let (first, other) = (read(first)?, read(other)?);
    match sealed::seal(&first) == sealed::seal(&other) {
        true => Ok(None),
        false => Ok(Some(told(&first, &other))),
    }
}

fn told(first: &[Row], other: &[Row]) -> String {
    let same = |(one, two): &(&Row, &Row)| bits(one) == bits(two);
    let at = first.iter().zip(other).take_while(same).count();
    match (first.get(at), other.get(at)) {
        (Some(one), Some(two)) if place(one) == place(two) => format!(
            "differs from the first from row {} on: {} is {} there and {} in the first",
            at + 1,
            place(one),
            two.value,
            one.value
        ),
        (Some(one), Some(two)) => format!(
            "differs from the first from row {} on: it has {} where the first has {}",
            at + 1,
            place(two),
            place(one)
        ),
        (Some(one), None) => format!(
            "has {at} of the {} rows of the first; the next there is {}",
            first.len(),
            place(one)
        ),
        _ => format!("has {} rows, the first {}", other.len(), first.len()),
    }
}

/// Equal for rows that are equal bit for bit.
fn bits(row: &Row) -> (u64, &str, u32, u64) {
    (row.step, &row.metric, row.index, row.value.to_bits())
}

/// What a row is a value of.
fn place(row: &Row) -> String {
    match row.index {
        0 => format!("{} at step {}", row.metric, row.step),
        index => format!("{} [{index}] at step {}", row.metric, row.step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, metric: &str, value: f64) -> Row {
        Row {
            step,
            metric: metric.into(),
            index: 0,
            value,
        }
    }

    #[test]
    fn the_first_difference_is_told() {
        let first = [row(1, "a", 0.5), row(2, "a", 0.25), row(3, "a", 1.0)];
        let mut other = first.clone();
        other[1].value = 0.25_f64.next_up();
        other[2].value = 7.0;
        assert_eq!(
            told(&first, &other),
            "differs from the first from row 2 on: a at step 2 is 0.25000000000000006 there and 0.25 in the first"
        );
        other[1] = row(2, "b", 0.25);
        assert_eq!(
            told(&first, &other),
            "differs from the first from row 2 on: it has b at step 2 where the first has a at step 2"
        );
        assert_eq!(
            told(&first, &first[..1]),
            "has 1 of the 3 rows of the first; the next there is a at step 2"
        );
        assert_eq!(told(&first[..1], &first), "has 3 rows, the first 1");
    }
}
