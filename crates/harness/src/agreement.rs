//! What the first updates of a method did, in plain numbers, and how far two engines are apart in it.
//!
//! An engine is held to another by the updates that it computes from the same state and the same data. A method's crate makes a [`Trace`]
//! of each with the code that trains; [`Trace::compare`] looks at the numbers only.

use std::collections::BTreeMap;

use crate::run::{Array, Checkpoint};

/// Arrays by name.
pub type Arrays = BTreeMap<String, Vec<f32>>;

/// The first updates of a method on one engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Each loss by name, one value an update, before it.
    pub losses: BTreeMap<String, Vec<f64>>,
    /// The parameters before the first update, read back from the device.
    pub start: Arrays,
    /// The gradients of the first update, as the optimiser was given them.
    pub gradients: Arrays,
    /// The parameters after it.
    pub after_first: Arrays,
    /// The parameters after the last update.
    pub after_last: Arrays,
}

/// Two traces that are not of the same method. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compare two engines: only one of them has `{0}`, or both have different sizes of it")]
pub struct Unlike(String);

/// The largest difference of a kind, and where it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Largest {
    /// |a - b| / |a| of a number, ‖a - b‖ / ‖a‖ of an array (Euclidean norms). 0 where both are 0, infinite where only `a` is 0 or
    /// anything is not finite.
    pub difference: f64,
    /// The loss or array; empty where nothing differs.
    pub of: String,
}

/// How far one engine is from another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// Of the parameters before the first update.
    pub start: Largest,
    /// Of the losses of the first update.
    pub first_loss: Largest,
    /// Of the gradients of the first update.
    pub gradients: Largest,
    /// Of the parameters after it.
    pub after_first: Largest,
    /// Of the losses of the last update.
    pub last_loss: Largest,
    /// Of the parameters after it.
    pub after_last: Largest,
}

impl Trace {
    /// Adds the losses of an update.
    pub fn add_losses(&mut self, losses: &[(&str, f64)]) {
        for (name, value) in losses {
            self.losses
                .entry((*name).to_owned())
                .or_default()
                .push(*value);
        }
    }

    /// How far `other` is from this trace, to which differences are relative.
    ///
    /// # Errors
    /// They have not the same losses, updates and arrays.
    pub fn compare(&self, other: &Self) -> Result<Differences, Unlike> {
        let differences = Differences {
            start: arrays(&self.start, &other.start)?,
            first_loss: losses(&self.losses, &other.losses, <[f64]>::first)?,
            gradients: arrays(&self.gradients, &other.gradients)?,
            after_first: arrays(&self.after_first, &other.after_first)?,
            last_loss: losses(&self.losses, &other.losses, <[f64]>::last)?,
            after_last: arrays(&self.after_last, &other.after_last)?,
        };
        Ok(differences)
    }
}

/// The arrays of 32-bit floats of a checkpoint that `name` gives a name.
pub fn pick(checkpoint: &Checkpoint, name: impl Fn(&str) -> Option<String>) -> Arrays {
    let picked = checkpoint.arrays.iter().filter_map(|(key, array)| {
        let Array::F32(_, values) = array else {
            return None;
        };
        Some((name(key)?, values.clone()))
    });
    picked.collect()
}

/// The state with the last bit of every 32-bit float flipped, but for zeros: the least that an engine could round otherwise.
pub fn one_bit_off(state: &Checkpoint) -> Checkpoint {
    let mut off = state.clone();
    for array in off.arrays.values_mut() {
        if let Array::F32(_, values) = array {
            let values = values.iter_mut().filter(|value| **value != 0.0);
            values.for_each(|value| *value = f32::from_bits(value.to_bits() ^ 1));
        }
    }
    off
}

impl Largest {
    fn add(&mut self, name: &str, difference: f64) {
        if difference > self.difference {
            *self = Self {
                difference,
                of: name.to_owned(),
            };
        }
    }
}

fn losses(
    ours: &BTreeMap<String, Vec<f64>>,
    theirs: &BTreeMap<String, Vec<f64>>,
    which: impl Fn(&[f64]) -> Option<&f64>,
) -> Result<Largest, Unlike> {
    let mut largest = Largest::default();
    for (name, ours, theirs) in pairs(ours, theirs)? {
        if let (Some(a), Some(b)) = (which(ours), which(theirs)) {
            largest.add(name, relative((a - b).abs(), a.abs()));
        }
    }
    Ok(largest)
}

fn arrays(ours: &Arrays, theirs: &Arrays) -> Result<Largest, Unlike> {
    let mut largest = Largest::default();
    let square = |x: f64| x * x;
    for (name, ours, theirs) in pairs(ours, theirs)? {
        let both = ours.iter().zip(theirs);
        let apart: f64 = both
            .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
            .sum();
        let size: f64 = ours.iter().map(|a| square(f64::from(*a))).sum();
        largest.add(name, relative(apart.sqrt(), size.sqrt()));
    }
    Ok(largest)
}

/// A number beside another; what is not finite is as far away as can be.
fn relative(apart: f64, size: f64) -> f64 {
    match apart / size {
        _ if apart == 0.0 && size.is_finite() => 0.0,
        relative if relative.is_nan() => f64::INFINITY,
        relative => relative,
    }
}

type Pair<'a, T> = (&'a str, &'a [T], &'a [T]);

/// What both have, by name.
fn pairs<'a, T>(
    ours: &'a BTreeMap<String, Vec<T>>,
    theirs: &'a BTreeMap<String, Vec<T>>,
) -> Result<Vec<Pair<'a, T>>, Unlike> {
    if let Some(name) = theirs.keys().find(|name| !ours.contains_key(*name)) {
        return Err(Unlike(name.clone()));
    }
    let pair = |(name, ours): (&'a String, &'a Vec<T>)| match theirs.get(name) {
        Some(theirs) if theirs.len() == ours.len() => Ok((&name[..], &ours[..], &theirs[..])),
        _ => Err(Unlike(name.clone())),
    };
    ours.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let arrays = |scale: f32| {
            Arrays::from([
                ("bias".to_owned(), vec![0.0, 0.0]),
                ("weight".to_owned(), vec![3.0 * scale, 4.0 * scale]),
            ])
        };
        let mut trace = Trace {
            gradients: arrays(1.0),
            start: arrays(1.0),
            after_first: arrays(2.0),
            after_last: arrays(3.0),
            ..Trace::default()
        };
        trace.add_losses(&[("actor", 2.0), ("critic", 0.0)]);
        trace.add_losses(&[("actor", -4.0), ("critic", 1.0)]);
        trace
    }

    fn largest(difference: f64, of: &str) -> Largest {
        Largest {
            difference,
            of: of.to_owned(),
        }
    }

    #[test]
    fn what_is_equal_differs_by_nothing() {
        assert_eq!(trace().compare(&trace()), Ok(Differences::default()));
    }

    #[test]
    fn differences_are_relative_and_have_a_name() {
        let mut other = trace();
        *other.losses.get_mut("actor").unwrap() = vec![2.5, -5.0];
        *other.gradients.get_mut("weight").unwrap() = vec![3.0, 4.5];
        *other.after_last.get_mut("weight").unwrap() = vec![9.0 + 3.0, 12.0 + 4.0];
        let found = trace().compare(&other).unwrap();
        let expected = Differences {
            start: Largest::default(),
            first_loss: largest(0.25, "actor"),
            gradients: largest(0.1, "weight"),
            after_first: Largest::default(),
            last_loss: largest(0.25, "actor"),
            after_last: largest(1.0 / 3.0, "weight"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_be_compared_is_never_near() {
        let with = |value: f32| {
            let mut other = trace();
            other.gradients.get_mut("bias").unwrap()[1] = value;
            other
        };
        for value in [1e-30, f32::NAN, f32::INFINITY] {
            let found = trace().compare(&with(value)).unwrap().gradients;
            assert_eq!(found, largest(f64::INFINITY, "bias"), "{value}");
        }
        // The same on both sides is no agreement either.
        for value in [f32::NAN, f32::INFINITY] {
            let found = with(value).compare(&with(value)).unwrap().gradients;
            assert_eq!(found, largest(f64::INFINITY, "bias"), "{value}");
        }
    }

    #[test]
    fn other_arrays_are_named() {
        let (mut more, mut longer, mut fewer) = (trace(), trace(), trace());
        more.after_first.insert("scale".to_owned(), vec![1.0]);
        longer.losses.get_mut("critic").unwrap().push(0.0);
        fewer.gradients.remove("bias");
        for (other, name) in [(more, "scale"), (longer, "critic"), (fewer, "bias")] {
            let unlike = Err(Unlike(name.to_owned()));
            assert_eq!(trace().compare(&other), unlike);
            assert_eq!(other.compare(&trace()), unlike);
        }
    }

    #[test]
    fn arrays_are_picked_by_name_and_nudged() {
        let checkpoint = Checkpoint {
            arrays: BTreeMap::from([
                ("net.a".to_owned(), Array::F32(vec![1, 2], vec![1.0, 2.0])),
                ("net.b".to_owned(), Array::U64(vec![1], vec![3])),
                ("other".to_owned(), Array::F32(vec![1], vec![4.0])),
            ]),
            ..Checkpoint::default()
        };
        let picked = pick(&checkpoint, |name| {
            name.strip_prefix("net.").map(str::to_owned)
        });
        assert_eq!(picked, Arrays::from([("a".to_owned(), vec![1.0, 2.0])]));
        let off = one_bit_off(&checkpoint);
        let next = |value: f32| value * (1.0 + f32::EPSILON);
        assert_eq!(
            off.arrays["net.a"],
            Array::F32(vec![1, 2], vec![next(1.0), next(2.0)])
        );
        assert_eq!(off.arrays["net.b"], checkpoint.arrays["net.b"]);
        assert_eq!(one_bit_off(&off), checkpoint);
    }
}
