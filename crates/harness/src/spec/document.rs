//! The shape of an experiment file: which keys there are, and of what type. Names and parameters are checked later,
//! against a suite.

use std::time::Duration;

use miette::SourceSpan;
use serde_json::Value;

use super::error::{Fault, Problem};
use super::names;
use super::reader::Reader;
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
    pub(super) missing: Missing,
}

/// What becomes of a cell whose task needs a native part that the build lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// The command sets the part up, or ends with an error: which cells a result is of never depends on the machine.
    #[default]
    Fail,
    /// The cell is left out, and that is said: for a scale that has to show only that what can run here does.
    Skip,
}

/// One entry of `overrides` or `exclude`: the cells that fulfil every condition, and what is set for them.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) span: SourceSpan,
    pub(super) conditions: Vec<Axis>,
    pub(super) params: Vec<Setting>,
}

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
/// The keys of a scale that replace no axis.
pub(super) const SCALE: [&str; 3] = ["params", "time_limit", "missing"];

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
            problems.push(Problem::at(
                Fault::NotAMapping(root.kind()),
                span,
                "this value",
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
                        .unwrap_or_default();
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
            missing: Missing::default(),
        };
        for (key, node) in self.mapping(&scale.name.name.clone(), node) {
            match key.name.as_str() {
                "params" => scale.params = self.settings(node),
                "time_limit" => scale.time_limit = self.duration(&node),
                "missing" => scale.missing = self.missing(node),
                _ => scale.axes.extend(self.axis(key, node)),
            }
        }
        scale
    }

    fn missing(&mut self, node: Node) -> Missing {
        let Some(word) = self.name("missing", node) else {
            return Missing::default();
        };
        match word.name.as_str() {
            "fail" => Missing::Fail,
            "skip" => Missing::Skip,
            _ => {
                let what = "value of `missing`";
                let fault = Fault::Unknown {
                    what: format!("{what}:"),
                    name: word.name.clone(),
                };
                let hint = names::hint(what, &word.name, &["fail", "skip"]);
                self.problems
                    .push(Problem::at(fault, word.span, format!("unknown {what}")).help(hint));
                Missing::default()
            }
        }
    }

    /// One override; `None` where its conditions are not all good, as it would match more than is meant.
    fn over(&mut self, node: Node) -> Option<Rule> {
        let span = node.span;
        let mut conditions = None;
        let mut params = Vec::new();
        let entries = self.mapping("overrides", node);
        for needed in ["match", "params"] {
            if !entries.iter().any(|(key, _)| key.name == needed) {
                let fault = Fault::MissingKey {
                    key: needed,
                    place: "this override".to_owned(),
                };
                self.problems
                    .push(Problem::at(fault, span, "in this mapping"));
            }
        }
        for (key, node) in entries {
            match key.name.as_str() {
                "match" => conditions = self.conditions("match", node).map(|list| (key.span, list)),
                "params" => params = self.settings(node),
                _ => self.unknown_key(&key, "an override", &["match", "params"]),
            }
        }
        let (span, conditions) = conditions?;
        Some(Rule {
            span,
            conditions,
            params,
        })
    }

    fn exclusion(&mut self, node: Node) -> Option<Rule> {
        let conditions = self.conditions("exclude", node)?;
        let span = conditions.first()?.key.span;
        Some(Rule {
            span,
            conditions,
            params: Vec::new(),
        })
    }

    /// At least one condition, all of them good.
    fn conditions(&mut self, key: &str, node: Node) -> Option<Vec<Axis>> {
        let span = node.span;
        let is_mapping = matches!(node.tree, Tree::Map(_) | Tree::Null);
        let entries = self.mapping(key, node);
        if entries.is_empty() && is_mapping {
            let empty = Problem::at(
                Fault::EmptyAxis(key.to_owned()),
                span,
                "needs at least one condition",
            );
            self.problems
                .push(empty.help("for example `{method: sac, task: mini/reacher}`"));
        }
        let count = entries.len();
        let read = entries
            .into_iter()
            .filter_map(|(key, node)| self.values(key, node));
        let conditions: Vec<Axis> = read.collect();
        (count > 0 && conditions.len() == count).then_some(conditions)
    }

    fn report(&mut self, node: Node, document: &mut Document) {
        for (key, node) in self.mapping("report", node) {
            match key.name.as_str() {
                "tables" => {
                    document.tables =
                        self.list("tables", node, |reader, node| reader.name("tables", node));
                }
                "figures" => {
                    document.figures =
                        self.list("figures", node, |reader, node| reader.name("figures", node));
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
