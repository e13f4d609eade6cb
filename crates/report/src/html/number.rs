//! Numbers of the page: what is printed, and where it comes from.

use serde::Serialize;

use super::cells::Cells;
use super::text::signed;
use crate::ledger::Entry;
use crate::published::Quoted;

/// A number of ours.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Number {
    /// Value and ends of its interval, as printed.
    pub(super) value: String,
    pub(super) low: Option<String>,
    pub(super) high: Option<String>,
    /// What it is, in words.
    pub(super) about: String,
    /// All digits.
    pub(super) exact: Option<String>,
    /// Its macro in the paper.
    #[serde(rename = "macro")]
    pub(super) name: String,
    /// Id of the list of its cells.
    pub(super) set: Option<String>,
}

impl Number {
    pub(super) fn new(entry: &Entry, cells: &mut Cells) -> Self {
        Self {
            value: signed(&entry.printed),
            low: entry.low.as_deref().map(signed),
            high: entry.high.as_deref().map(signed),
            about: entry.about.clone(),
            exact: entry.value.map(|value| value.to_string()),
            name: entry.name.clone(),
            set: cells.set(&entry.cells),
        }
    }
}

/// A number that others published.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Quote {
    value: String,
    plus_minus: Option<String>,
    what: String,
    /// Id of what is said of its source.
    set: String,
}

/// What is said of the published numbers that the page shows.
#[derive(Default, Serialize)]
pub(super) struct Quotes(Vec<Source>);

#[derive(Serialize)]
struct Source {
    id: String,
    /// Its name in the file of published numbers.
    name: String,
    what: String,
    unit: Option<String>,
    source: String,
    place: String,
    note: Option<String>,
}

impl Quotes {
    pub(super) fn quote(&mut self, quoted: &Quoted) -> Quote {
        let known = self.0.iter().position(|other| other.name == quoted.id);
        let at = known.unwrap_or(self.0.len());
        let id = format!("quote_{at}");
        if known.is_none() {
            self.0.push(Source {
                id: id.clone(),
                name: quoted.id.clone(),
                what: quoted.what.clone(),
                unit: quoted.unit.clone(),
                source: quoted.source.clone(),
                place: quoted.r#where.clone(),
                note: quoted.note.clone(),
            });
        }
        Quote {
            value: signed(&quoted.printed),
            plus_minus: quoted.plus_minus.clone(),
            what: quoted.what.clone(),
            set: id,
        }
    }
}
