//! Figures: drawn as SVG, turned into PDF, with where they come from in their metadata.

mod audit;
mod draw;
mod intervals;
mod legend;
mod lines;
mod llm;
mod panel;
mod pdf;
mod regularisers;
mod reliability;

use std::collections::BTreeSet;

use crate::analysis::{Analysis, Pair};
use crate::domain::Domain;
use crate::error::ReportError;

use draw::{Drawing, Drawn};

pub(crate) use draw::{marker, tick};
pub(crate) use intervals::WHY_NONE as NO_PAIR;
pub(crate) use legend::Key;
pub(crate) use lines::extent_of;
pub(crate) use panel::{Line, Panel, Panels};
pub(crate) use regularisers::Regularisers;
pub(crate) use reliability::{Diagrams, WHY_NONE as NO_DIAGRAM};

/// Names of the figures; each is made as `.svg` and `.pdf`. Those of `vision` and `llm` are for that suite alone, the
/// probability of improvement is for all, the others for suites that record returns.
pub const FIGURES: &[&str] = &[
    "control-curves",
    "control-entropy",
    "performance-profile",
    IMPROVEMENT,
    "vision-curves",
    "vision-regularisers",
    "vision-reliability",
    "llm-accuracy",
    "llm-entropy",
    "llm-pass-at-k",
];

const IMPROVEMENT: &str = "probability-of-improvement";

/// Where a figure comes from, for its metadata.
pub(crate) struct Origin {
    pub(crate) title: String,
    /// The command that makes it.
    pub(crate) command: String,
    /// Commits of the programs that ran what it shows.
    pub(crate) commits: String,
    /// Hash over the records behind it.
    pub(crate) records: String,
}

impl Origin {
    fn new(name: &str, analysis: &Analysis<'_>, records: &str) -> Self {
        let commits: BTreeSet<&str> = analysis
            .board
            .runs
            .iter()
            .map(|run| run.commit.as_str())
            .collect();
        Self {
            title: format!(
                "{name}, experiment {}, scale {}",
                analysis.board.study.experiment, analysis.scale
            ),
            command: analysis.command(),
            commits: commits.into_iter().collect::<Vec<_>>().join(" "),
            records: format!("blake3:{records}"),
        }
    }
}

/// What a figure shows, before anything of it is drawn: for the paper here, for the page in `html`.
pub(crate) enum Figure<'a> {
    Panels(Panels),
    Improvement(&'a [Pair]),
    Regularisers(Regularisers<'a>),
    Reliability(Diagrams<'a>),
}

impl<'a> Figure<'a> {
    /// The figure `name` of a study.
    pub(crate) fn new(name: &str, analysis: &'a Analysis<'_>) -> Result<Self, ReportError> {
        Ok(match (analysis.domain(), name) {
            (_, IMPROVEMENT) => Self::Improvement(&analysis.pairs),
            (Domain::Control, "control-curves")
            | (Domain::Vision, "vision-curves")
            | (Domain::Llm, "llm-accuracy") => Self::Panels(lines::scores(analysis)?),
            (Domain::Control, "control-entropy") => Self::Panels(audit::audit(analysis)?),
            (Domain::Control, "performance-profile") => Self::Panels(lines::profile(analysis)?),
            (Domain::Vision, "vision-regularisers") => {
                Self::Regularisers(regularisers::regularisers(analysis))
            }
            (Domain::Vision, "vision-reliability") => {
                Self::Reliability(reliability::diagrams(analysis)?)
            }
            (Domain::Llm, "llm-entropy") => Self::Panels(llm::entropy(analysis)?),
            (Domain::Llm, "llm-pass-at-k") => Self::Panels(llm::pass(analysis)?),
            (domain, _) => {
                let takes = |figure: &&str| *figure == IMPROVEMENT || domain.has(figure);
                return Err(ReportError::Unknown {
                    experiment: analysis.board.study.experiment.clone(),
                    kind: "figure",
                    name: name.to_owned(),
                    valid: FIGURES.iter().copied().filter(takes).collect(),
                });
            }
        })
    }

    fn draw(&self, note: Option<&str>) -> Drawn<Drawing> {
        match self {
            Self::Panels(panels) => panels.draw(note),
            Self::Improvement(pairs) => intervals::improvement(pairs, note),
            Self::Regularisers(figure) => regularisers::draw(figure, note),
            Self::Reliability(diagrams) => reliability::draw_all(diagrams, note),
        }
    }
}

/// The figure `name` of a study as SVG and PDF; `records` is the hash over the study's records.
pub(crate) fn files(
    name: &str,
    figure: &Figure<'_>,
    analysis: &Analysis<'_>,
    records: &str,
) -> Result<(String, Vec<u8>), ReportError> {
    let failed = |reason: String| ReportError::Figure {
        name: name.to_owned(),
        reason,
    };
    let origin = Origin::new(name, analysis, records);
    let note = analysis.smoke().then_some(Analysis::SMOKE);
    let svg = figure
        .draw(note)
        .and_then(|drawing| draw::finish(drawing, &origin))
        .map_err(failed)?;
    let pdf = pdf::from_svg(&svg, &origin).map_err(failed)?;
    Ok((svg, pdf))
}
