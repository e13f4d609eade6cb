//! The shape of an experiment file: which keys there are, and of what type. Names and parameters are checked later,
//! against a suite.

use std::time::Duration;

use miette::SourceSpan;
use serde_json::Value;

use super::error::{Fault, Problem};
use super::names;
use super::yaml::{Key, Node, Tree};

/// An experiment file as it stands, with the place of everything that may turn out wrong.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) suite: Option<Key>,
    pub(super) about: String,
    pub(super) time_limit: Option<Duration>,
    pub(super) axes: Vec<Axis>,
    pub(super) params: Vec<Setting>,
    pub(super) scales: Vec<Scale>,
    pub(super) overrides: Vec<Rule>,
    pub(super) exclude: Vec<Rule>,
    pub(super) tables: Vec<Key>,
    pub(super) figures: Vec<Key>,
}

/// The values of one dimension of the matrix, or of one condition of a rule.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) key: Key,
    pub(super) values: Vec<(Value, SourceSpan)>,
}

/// A parameter and its value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: Key,
    pub(super) value: Value,
    pub(super) span: SourceSpan,
}

/// One entry of `scales`.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) name: Key,
    pub(super) axes: Vec<Axis>,
    pub(super) params: Vec<Setting>,
    pub(super) time_limit: Option<Duration>,
}

/// One entry of `overrides` or `exclude`: the cells that fulfil every condition, and what is set for them.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) span: SourceSpan,
    pub(super) conditions: Vec<Axis>,
    pub(super) params: Vec<Setting>,
}

/// The most seeds that a count may ask for.
const MOST_SEEDS: u64 = 10_000;

const TOP: [&str; 9] = [
    "suite",
    "about",
    "matrix",
    "params",
    "scales",
    "overrides",
    "exclude",
    "report",
    "time_limit",
];
const SCALE: [&str; 2] = ["params", "time_limit"];

/// Reads the shape of the document at `root`; what is wrong is put into `problems` and left out of the result.
pub(super) fn read(root: Node, problems: &mut Vec<Problem>) -> Option<Document> {
    let place = "the experiment file";
    let span = root.span;
    let entries = match root.tree {
        Tree::Null => {
            problems.push(
                Problem::outside(Fault::Empty).help("it needs `suite`, `matrix` and `scales`"),
            );
            return None;
        }
        Tree::Map(entries) => entries,
        _ => {
            problems.push(wrong_type(
                place,
                "a mapping with `suite`, `matrix` and `scales`",
                &root,
            ));
            return None;
        }
    };
    let mut reader = Reader { problems };
    for needed in ["suite", "matrix", "scales"] {
        if !entries.iter().any(|(key, _)| key.name == needed) {
            let fault = Fault::MissingKey {
                key: needed,
                place: place.to_owned(),
            };
            reader
                .problems
                .push(Problem::at(fault, span, "in this mapping"));
        }
    }
    Some(reader.document(entries))
}

/// `key` has a value of another type than `expected`.
fn wrong_type(key: &str, expected: &'static str, node: &Node) -> Problem {
    let fault = Fault::WrongType {
        key: key.to_owned(),
        expected,
        found: node.kind(),
    };
    Problem::at(fault, node.span, "this value")
}

struct Reader<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self, entries: Vec<(Key, Node)>) -> Document {
        let mut document = Document {
            suite: None,
            about: String::new(),
            time_limit: None,
            axes: Vec::new(),
            params: Vec::new(),
            scales: Vec::new(),
            overrides: Vec::new(),
            exclude: Vec::new(),
            tables: Vec::new(),
            figures: Vec::new(),
        };
        for (key, node) in entries {
            match key.name.as_str() {
                "suite" => document.suite = self.name("suite", node),
                "about" => {
                    document.about = self
                        .name("about", node)
                        .map(|text| text.name)
                        .unwrap_or_default()
                }
                "matrix" => document.axes = self.matrix(&key, node),
                "params" => document.params = self.settings(node),
                "scales" => document.scales = self.scales(node),
                "overrides" => document.overrides = self.list("overrides", node, Self::over),
                "exclude" => document.exclude = self.list("exclude", node, Self::exclusion),
                "report" => self.report(node, &mut document),
                "time_limit" => document.time_limit = self.duration(&node),
                _ => self.unknown_key(&key, "the experiment file", &TOP),
            }
        }
        document
    }

    fn unknown_key(&mut self, key: &Key, place: &str, valid: &[&str]) {
        let fault = Fault::UnknownKey {
            key: key.name.clone(),
            place: place.to_owned(),
        };
        let hint = names::hint("key", &key.name, valid);
        self.problems
            .push(Problem::at(fault, key.span, "unknown key").help(hint));
    }

    /// The entries of a mapping; an empty value is an empty mapping.
    fn mapping(&mut self, key: &str, node: Node) -> Vec<(Key, Node)> {
        match node.tree {
            Tree::Map(entries) => entries,
            Tree::Null => Vec::new(),
            _ => {
                self.problems.push(wrong_type(key, "a mapping", &node));
                Vec::new()
            }
        }
    }

    fn list<T>(&mut self, key: &str, node: Node, read: fn(&mut Self, Node) -> Option<T>) -> Vec<T> {
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

    fn name(&mut self, key: &str, node: Node) -> Option<Key> {
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
    fn duration(&mut self, node: &Node) -> Option<Duration> {
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

    fn matrix(&mut self, key: &Key, node: Node) -> Vec<Axis> {
        if matches!(node.tree, Tree::Null) {
            self.problems.push(Problem::at(
                Fault::EmptyAxis("matrix".to_owned()),
                key.span,
                "empty",
            ));
            return Vec::new();
        }
        let is_mapping = matches!(node.tree, Tree::Map(_));
        let entries = self.mapping("matrix", node);
        for needed in ["task", "method", "seed"] {
            if is_mapping && !entries.iter().any(|(key, _)| key.name == needed) {
                let fault = Fault::MissingKey {
                    key: needed,
                    place: "the matrix".to_owned(),
                };
                self.problems
                    .push(Problem::at(fault, key.span, "in this mapping"));
            }
        }
        entries
            .into_iter()
            .filter_map(|(key, node)| self.axis(key, node))
            .collect()
    }

    /// One dimension of the matrix: its values, none of them twice.
    fn axis(&mut self, key: Key, node: Node) -> Option<Axis> {
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
    fn values(&mut self, key: Key, node: Node) -> Option<Axis> {
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

    fn settings(&mut self, node: Node) -> Vec<Setting> {
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

    fn scales(&mut self, node: Node) -> Vec<Scale> {
        let span = node.span;
        let is_mapping = matches!(node.tree, Tree::Map(_) | Tree::Null);
        let entries = self.mapping("scales", node);
        if is_mapping && entries.is_empty() {
            let empty = Problem::at(
                Fault::EmptyAxis("scales".to_owned()),
                span,
                "needs at least one scale",
            );
            self.problems
                .push(empty.help("for example `smoke: {params: {steps: 1000}}`"));
        }
        entries
            .into_iter()
            .map(|(name, node)| self.scale(name, node))
            .collect()
    }

    fn scale(&mut self, name: Key, node: Node) -> Scale {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.name.is_empty() || !name.name.chars().all(letters) {
            // It becomes the name of a folder.
            let expected = "named with letters, digits, `-` and `_` only";
            let fault = Fault::WrongType {
                key: "scale".to_owned(),
                expected,
                found: format!("`{}`", name.name),
            };
            self.problems
                .push(Problem::at(fault, name.span, "this name"));
        }
        let mut scale = Scale {
            name,
            axes: Vec::new(),
            params: Vec::new(),
            time_limit: None,
        };
        for (key, node) in self.mapping(&scale.name.name.clone(), node) {
            match key.name.as_str() {
                "params" => scale.params = self.settings(node),
                "time_limit" => scale.time_limit = self.duration(&node),
                _ => scale.axes.extend(self.axis(key, node)),
            }
        }
        scale
    }

    fn over(&mut self, node: Node) -> Option<Rule> {
        let mut rule = Rule {
            span: node.span,
            conditions: Vec::new(),
            params: Vec::new(),
        };
        let entries = self.mapping("overrides", node);
        for needed in ["match", "params"] {
            if !entries.iter().any(|(key, _)| key.name == needed) {
                let fault = Fault::MissingKey {
                    key: needed,
                    place: "this override".to_owned(),
                };
                self.problems
                    .push(Problem::at(fault, rule.span, "in this mapping"));
            }
        }
        for (key, node) in entries {
            match key.name.as_str() {
                "match" => {
                    rule.span = key.span;
                    rule.conditions = self.conditions("match", node);
                }
                "params" => rule.params = self.settings(node),
                _ => self.unknown_key(&key, "an override", &["match", "params"]),
            }
        }
        Some(rule)
    }

    fn exclusion(&mut self, node: Node) -> Option<Rule> {
        let span = node.span;
        let conditions = self.conditions("exclude", node);
        let span = conditions
            .first()
            .map_or(span, |condition| condition.key.span);
        Some(Rule {
            span,
            conditions,
            params: Vec::new(),
        })
    }

    fn conditions(&mut self, key: &str, node: Node) -> Vec<Axis> {
        let entries = self.mapping(key, node);
        entries
            .into_iter()
            .filter_map(|(key, node)| self.values(key, node))
            .collect()
    }

    fn report(&mut self, node: Node, document: &mut Document) {
        for (key, node) in self.mapping("report", node) {
            match key.name.as_str() {
                "tables" => {
                    document.tables =
                        self.list("tables", node, |reader, node| reader.name("tables", node))
                }
                "figures" => {
                    document.figures =
                        self.list("figures", node, |reader, node| reader.name("figures", node))
                }
                _ => self.unknown_key(&key, "`report`", &["tables", "figures"]),
            }
        }
    }
}

/// A value as a user would write it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

/// The keys of a scale that replace no axis.
pub(super) fn scale_keys() -> &'static [&'static str] {
    &SCALE
}
