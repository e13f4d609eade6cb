//! Numbers that others published, from `baselines/published.yaml`: shown beside ours, never mixed with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use era_harness::{Cell, Params};
use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::error::ReportError;
use crate::number::fixed;
use crate::study;

/// The format of the file that is read here.
const FORMAT: u32 = 1;

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    format: u32,
    sources: BTreeMap<String, String>,
    #[expect(
        dead_code,
        reason = "other libraries' runs are of no use here, but they are in the file"
    )]
    #[serde(default)]
    reruns: serde::de::IgnoredAny,
    entries: Vec<Entry>,
}

/// One entry; what its fields mean stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    what: String,
    task: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "an aggregate has no place in a table of tasks")]
    suite: Option<String>,
    method: String,
    #[serde(default)]
    params: Params,
    metric: String,
    setting: Option<Setting>,
    #[serde(default)]
    #[expect(dead_code, reason = "part of the format")]
    steps: Option<u64>,
    source: String,
    r#where: String,
    #[serde(default)]
    #[expect(dead_code, reason = "part of the format")]
    seeds: Vec<u64>,
    values: Vec<f64>,
    #[serde(default)]
    at: Vec<f64>,
    #[serde(default)]
    unit: Option<String>,
    decimals: Option<usize>,
    plus_minus: Option<f64>,
    #[serde(default = "shown")]
    in_tables: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    not_stated: Vec<String>,
    #[serde(default)]
    note: Option<String>,
}

fn shown() -> bool {
    true
}

/// What a published number was trained with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Setting {
    Classifier(Classifier),
    LanguageModel(LanguageModel),
}

/// A classifier and its training.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Classifier {
    network: String,
    epochs: u32,
    augmentation: Augmentation,
}

/// The language model that training began with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageModel {
    model: String,
}

impl Setting {
    fn domain(&self) -> Domain {
        match self {
            Self::Classifier(_) => Domain::Vision,
            Self::LanguageModel(_) => Domain::Llm,
        }
    }

    /// What is said of it beside a table.
    fn words(&self) -> String {
        match self {
            Self::Classifier(setting) => format!("{}, {} epochs", setting.network, setting.epochs),
            Self::LanguageModel(setting) => setting.model.clone(),
        }
    }

    fn augmentation(&self) -> Option<Augmentation> {
        match self {
            Self::Classifier(setting) => Some(setting.augmentation),
            Self::LanguageModel(_) => None,
        }
    }
}

/// Whether the source says that images were augmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Augmentation {
    None,
    Added,
}

/// A published number as it is quoted, with where it stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quoted {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) printed: String,
    pub(crate) plus_minus: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) source: String,
    pub(crate) r#where: String,
    pub(crate) note: Option<String>,
    #[serde(skip)]
    metric: String,
    #[serde(skip)]
    augmentation: Option<Augmentation>,
}

/// What a claim quotes: a published number, or the ends of a curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statement {
    /// Its name in `baselines/published.yaml`.
    pub id: String,
    /// The quantity in words.
    pub what: String,
    /// As printed in its source; of a curve the first and the last value.
    pub printed: String,
    /// What stands behind a ± there.
    pub plus_minus: Option<String>,
    /// Its unit, where it is not that of the metric.
    pub unit: Option<String>,
    /// The letter of the source.
    pub source: String,
    /// Figure, table or section.
    pub r#where: String,
    /// The value; of a curve the first one.
    #[serde(skip)]
    pub(crate) first: f64,
    /// The value; of a curve the last one.
    #[serde(skip)]
    pub(crate) last: f64,
}

/// The published numbers of one configuration of a method on one task.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) task: String,
    pub(crate) method: String,
    params: Params,
    /// Network and length of training, or the model: `ResNet-50, 200 epochs`.
    pub(crate) setting: String,
    pub(crate) numbers: Vec<Quoted>,
}

impl Published {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, has another format, or one of its entries contradicts itself or another one.
    pub(crate) fn read(path: &Path) -> Result<Self, ReportError> {
        let text = std::fs::read_to_string(path).map_err(ReportError::file("read", path))?;
        let wrong = |reason: String| ReportError::Published {
            path: path.to_path_buf(),
            reason,
        };
        let published: Self =
            serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if published.format != FORMAT {
            let format = published.format;
            return Err(wrong(format!("format {format} is not {FORMAT}")));
        }
        let mut seen = BTreeSet::new();
        for entry in &published.entries {
            published.check(entry, &mut seen).map_err(wrong)?;
        }
        Ok(published)
    }

    /// Says what is wrong with an entry, given the ids of those before it.
    fn check<'e>(&self, entry: &'e Entry, seen: &mut BTreeSet<&'e str>) -> Result<(), String> {
        let Entry {
            id,
            source,
            values,
            at,
            ..
        } = entry;
        if !seen.insert(id) {
            return Err(format!("there are two entries with the id `{id}`"));
        }
        if !self.sources.contains_key(source) {
            return Err(format!("`{id}` has the unknown source `{source}`"));
        }
        if values.is_empty() || !values.iter().chain(at).all(|value| value.is_finite()) {
            return Err(format!("`{id}` has no value, or one that is not finite"));
        }
        if !at.is_empty() && at.len() != values.len() {
            let (points, values) = (at.len(), values.len());
            return Err(format!("`{id}` has {values} values at {points} points"));
        }
        Ok(())
    }

    /// What the letter of a source stands for.
    pub(crate) fn source(&self, tag: &str) -> Option<&str> {
        self.sources.get(tag).map(String::as_str)
    }

    /// The letters of all sources.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The ids of all entries.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.id.as_str())
    }

    /// An entry as a claim quotes it.
    pub(crate) fn statement(&self, id: &str) -> Option<Statement> {
        let entry = self.entries.iter().find(|entry| entry.id == id)?;
        let (first, last) = (*entry.values.first()?, *entry.values.last()?);
        let printed = match entry.values.as_slice() {
            [value] => entry.print(*value),
            _ => format!("{} to {}", entry.print(first), entry.print(last)),
        };
        Some(Statement {
            id: entry.id.clone(),
            what: entry.what.clone(),
            printed,
            plus_minus: entry.plus_minus.map(|value| entry.print(value)),
            unit: entry.unit.clone(),
            source: entry.source.clone(),
            r#where: entry.r#where.clone(),
            first,
            last,
        })
    }

    /// What is published of a domain's methods, each on a task in a stated setting, in the order of the file.
    pub(crate) fn configurations(&self, domain: Domain) -> Vec<Configuration> {
        let mut all: Vec<Configuration> = Vec::new();
        for entry in &self.entries {
            let (Some(task), Some(setting)) = (&entry.task, &entry.setting) else {
                continue;
            };
            if setting.domain() != domain || !entry.in_tables {
                continue;
            }
            let Some(number) = self.quoted(entry, setting) else {
                continue;
            };
            let setting = setting.words();
            let same = |other: &&mut Configuration| {
                other.task == *task
                    && other.method == entry.method
                    && other.params == entry.params
                    && other.setting == setting
            };
            match all.iter_mut().find(same) {
                Some(configuration) => configuration.numbers.push(number),
                None => all.push(Configuration {
                    task: task.clone(),
                    method: entry.method.clone(),
                    params: entry.params.clone(),
                    setting,
                    numbers: vec![number],
                }),
            }
        }
        all
    }

    /// The number of an entry that has one alone.
    fn quoted(&self, entry: &Entry, setting: &Setting) -> Option<Quoted> {
        let [value] = entry.values.as_slice() else {
            return None;
        };
        Some(Quoted {
            id: entry.id.clone(),
            what: entry.what.clone(),
            printed: entry.print(*value),
            plus_minus: entry.plus_minus.map(|value| entry.print(value)),
            unit: entry.unit.clone(),
            source: self.sources.get(&entry.source)?.clone(),
            r#where: entry.r#where.clone(),
            note: entry.note.clone(),
            metric: entry.metric.clone(),
            augmentation: setting.augmentation(),
        })
    }
}

impl Entry {
    /// A value with the digits that it has in its source.
    fn print(&self, value: f64) -> String {
        match self.decimals {
            Some(decimals) => fixed(value, decimals),
            None => value.to_string(),
        }
    }
}

impl Configuration {
    /// The number of a metric in a setting, where it is published; `augmentation` is `None` for language models.
    pub(crate) fn number(
        &self,
        metric: &str,
        augmentation: Option<Augmentation>,
    ) -> Option<&Quoted> {
        let mut numbers = self.numbers.iter();
        numbers.find(|number| number.metric == metric && number.augmentation == augmentation)
    }

    /// Whether a cell is of this method with all parameters that the source names.
    pub(crate) fn describes(&self, cell: &Cell) -> bool {
        cell.method == self.method
            && self
                .params
                .iter()
                .all(|(name, value)| cell.params.get(name).is_some_and(|own| same(own, value)))
    }

    /// The method with the parameters that the source names, as our methods are labelled.
    pub(crate) fn label(&self) -> String {
        study::labelled(&self.method, self.params.iter())
    }
}

/// Whether two parameters have the same value; whole numbers and others are numbers alike.
pub(crate) fn same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Published, ReportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("published.yaml");
        std::fs::write(&path, text).unwrap();
        Published::read(&path)
    }

    #[test]
    fn the_file_of_this_repository_has_the_papers_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../baselines/published.yaml");
        let published = Published::read(&path).unwrap();
        let all = published.configurations(Domain::Vision);
        let labels: Vec<String> = all
            .iter()
            .map(|each| format!("{} {}", each.task, each.label()))
            .collect();
        assert_eq!(
            labels[..4],
            [
                "imagenet cross-entropy",
                "imagenet era",
                "cifar10 cross-entropy",
                "cifar10 era",
            ]
        );
        assert_eq!(labels.len(), 10, "{labels:?}");
        assert_eq!(labels[4], "cifar10 label-smoothing (smoothing=0.1)");
        let number = all[1]
            .number("eval/top1", Some(Augmentation::Added))
            .unwrap();
        assert_eq!(number.printed, "77.30");
        assert_eq!(number.plus_minus.as_deref(), Some("0.36"));
        let number = all[7]
            .number("eval/top1", Some(Augmentation::None))
            .unwrap();
        assert_eq!(
            (number.printed.as_str(), &number.plus_minus),
            ("93.630", &None)
        );
        assert!(
            all[7]
                .number("eval/top1", Some(Augmentation::Added))
                .is_none()
        );
        assert_eq!(all[0].setting, "ResNet-50, 200 epochs");
        let all = published.configurations(Domain::Llm);
        let numbers: Vec<String> = all
            .iter()
            .map(|each| {
                let number = each.number("eval/accuracy", None).unwrap();
                format!("{} {} {}", each.task, each.label(), number.printed)
            })
            .collect();
        assert_eq!(numbers.len(), 15);
        assert_eq!(numbers[0], "aime24 base 8.6");
        assert_eq!(numbers[14], "amc grpo-era 72.8");
        assert!(all.iter().all(|each| each.setting == "Qwen2.5-Math-7B"));
        // Every id names one number.
        let ids: std::collections::BTreeSet<&str> = published
            .entries
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        assert_eq!(ids.len(), published.entries.len());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (text, reason) in [
            ("format: 2\nsources: {}\nentries: []\n", "format 2 is not 1"),
            (
                "format: 1\nsources: {}\nentries: [{id: a, what: b, method: c, metric: d, source: X, where: e, values: [1]}]\n",
                "`a` has the unknown source `X`",
            ),
            ("format: 1\nsources: {}\nentries: []\nmore: 1\n", "more"),
            (
                "format: 1\nsources: {F: f}\nentries: [{id: a, what: b, method: c, metric: d, source: F, where: e, values: [1], setting: {model: m, epochs: 3}}]\n",
                "Setting",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
