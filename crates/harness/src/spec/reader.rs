//! The parts that an experiment file is made of: mappings, lists, names, lengths of time, axes and parameters. What has
//! the wrong shape is reported and left out.

use std::time::Duration;

use serde_json::Value;

use super::document::{Axis, Setting, shown};
use super::error::{Fault, Problem};
use super::names;
use super::yaml::{Key, Node, Tree};

/// The most seeds that a count may ask for.
const MOST_SEEDS: u64 = 10_000;

/// `key` has a value of another type than `expected`.
fn wrong_type(key: &str, expected: &'static str, node: &Node) -> Problem {
    let fault = Fault::WrongType {
        key: key.to_owned(),
        expected,
        found: node.kind(),
    };
    Problem::at(fault, node.span, "this value")
}

/// Reads nodes of the document, and gathers what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn unknown_key(&mut self, key: &Key, place: &str, valid: &[&str]) {
        let fault = Fault::UnknownKey {
            key: key.name.clone(),
            place: place.to_owned(),
        };
        let hint = names::hint("key", &key.name, valid);
        self.problems
            .push(Problem::at(fault, key.span, "unknown key").help(hint));
    }

    /// The entries of a mapping; an empty value is an empty mapping.
    pub(super) fn mapping(&mut self, key: &str, node: Node) -> Vec<(Key, Node)> {
        match node.tree {
            Tree::Map(entries) => entries,
            Tree::Null => Vec::new(),
            _ => {
                self.problems.push(wrong_type(key, "a mapping", &node));
                Vec::new()
            }
        }
    }

    pub(super) fn list<T>(
        &mut self,
        key: &str,
        node: Node,
        read: fn(&mut Self, Node) -> Option<T>,
    ) -> Vec<T> {
        match node.tree {
            Tree::List(items) => items
                .into_iter()
                .filter_map(|item| read(self, item))
                .collect(),
            Tree::Null => Vec::new(),
            _ => {
                self.problems.push(wrong_type(key, "a list", &node));
                Vec::new()
            }
        }
    }

    pub(super) fn name(&mut self, key: &str, node: Node) -> Option<Key> {
        match node.tree {
            Tree::Text(name) => Some(Key {
                name,
                span: node.span,
            }),
            _ => {
                self.problems.push(wrong_type(key, "a text", &node));
                None
            }
        }
    }

    /// A length of time such as `30m` or `1h 30m`, above zero.
    pub(super) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let text = match &node.tree {
            Tree::Text(text) => text.clone(),
            _ => node.kind(),
        };
        match humantime::parse_duration(&text) {
            Ok(time) if !time.is_zero() => Some(time),
            _ => {
                let problem = Problem::at(Fault::Duration(text), node.span, "this value");
                self.problems
                    .push(problem.help("write a number with a unit: `90s`, `30m`, `1h 30m`"));
                None
            }
        }
    }

    /// One dimension of the matrix: its values, none of them twice.
    pub(super) fn axis(&mut self, key: Key, node: Node) -> Option<Axis> {
        let axis = match key.name.as_str() {
            "seed" => self.seeds(key, node)?,
            _ => self.values(key, node)?,
        };
        let mut seen: Vec<&Value> = Vec::new();
        for (value, span) in &axis.values {
            if seen.contains(&value) {
                let fault = Fault::DuplicateValue {
                    axis: axis.key.name.clone(),
                    value: shown(value),
                };
                self.problems.push(
                    Problem::at(fault, *span, "already in the list").help("remove one of them"),
                );
            }
            seen.push(value);
        }
        Some(axis)
    }

    /// Seeds: a count, or a list of whole numbers.
    fn seeds(&mut self, key: Key, node: Node) -> Option<Axis> {
        let span = node.span;
        match &node.tree {
            Tree::List(_) => self.values(key, node),
            Tree::Integer(count)
                if count
                    .as_u64()
                    .is_some_and(|count| (1..=MOST_SEEDS).contains(&count)) =>
            {
                let count = count.as_u64().unwrap_or_default();
                Some(Axis {
                    key,
                    values: (0..count).map(|seed| (seed.into(), span)).collect(),
                })
            }
            _ => {
                let expected = "a count of seeds from 1 to 10000, or a list of seeds";
                self.problems.push(wrong_type("seed", expected, &node));
                None
            }
        }
    }

    /// The values of an axis or condition: one value or a list of them, of the type that the key asks for.
    pub(super) fn values(&mut self, key: Key, node: Node) -> Option<Axis> {
        let items = match node.tree {
            Tree::List(items) => items,
            Tree::Null => Vec::new(),
            _ => vec![node],
        };
        if items.is_empty() {
            let empty = Problem::at(
                Fault::EmptyAxis(key.name.clone()),
                key.span,
                "needs at least one value",
            );
            self.problems.push(empty);
            return None;
        }
        let values = items.into_iter().filter_map(|item| {
            let expected = match key.name.as_str() {
                "task" | "method" if !matches!(item.tree, Tree::Text(_)) => {
                    "a name or a list of names"
                }
                "seed" if !matches!(&item.tree, Tree::Integer(seed) if seed.is_u64()) => {
                    "a list of whole numbers of at least 0"
                }
                _ => return self.value(&key.name, &item).map(|value| (value, item.span)),
            };
            self.problems.push(wrong_type(&key.name, expected, &item));
            None
        });
        let values: Vec<_> = values.collect();
        (!values.is_empty()).then_some(Axis { key, values })
    }

    pub(super) fn settings(&mut self, node: Node) -> Vec<Setting> {
        let entries = self.mapping("params", node);
        let settings = entries.into_iter().filter_map(|(key, node)| {
            let value = self.value(&key.name, &node)?;
            Some(Setting {
                key,
                value,
                span: node.span,
            })
        });
        settings.collect()
    }

    /// A scalar or a list of scalars.
    fn value(&mut self, key: &str, node: &Node) -> Option<Value> {
        match &node.tree {
            Tree::List(items) => items
                .iter()
                .map(|item| self.scalar(key, item))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            _ => self.scalar(key, node),
        }
    }

    fn scalar(&mut self, key: &str, node: &Node) -> Option<Value> {
        match &node.tree {
            Tree::Null => Some(Value::Null),
            Tree::Bool(value) => Some((*value).into()),
            Tree::Integer(value) => Some(Value::Number(value.clone())),
            Tree::Text(value) => Some(value.clone().into()),
            Tree::Float(value) => {
                let number = serde_json::Number::from_f64(*value).map(Value::Number);
                if number.is_none() {
                    let fault = Fault::NotFinite {
                        key: key.to_owned(),
                        found: node.kind(),
                    };
                    self.problems
                        .push(Problem::at(fault, node.span, "this value"));
                }
                number
            }
            Tree::List(_) | Tree::Map(_) => {
                self.problems
                    .push(wrong_type(key, "a scalar or a list of scalars", node));
                None
            }
        }
    }
}
