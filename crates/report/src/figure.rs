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

use crate::analysis::Analysis;
use crate::domain::Domain;
use crate::error::ReportError;

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

/// The figure `name` of a study as SVG and PDF; `records` is the hash over the study's records.
pub(crate) fn figure(
    name: &str,
    analysis: &Analysis<'_>,
    records: &str,
) -> Result<(String, Vec<u8>), ReportError> {
    let drawn = match (analysis.domain(), name) {
        (_, IMPROVEMENT) => intervals::improvement(analysis),
        (Domain::Control, "control-curves") => lines::scores(analysis)?,
        (Domain::Control, "control-entropy") => audit::audit(analysis)?,
        (Domain::Control, "performance-profile") => lines::profile(analysis)?,
        (Domain::Vision, "vision-curves") => lines::scores(analysis)?,
        (Domain::Vision, "vision-regularisers") => regularisers::regularisers(analysis),
        (Domain::Vision, "vision-reliability") => reliability::diagrams(analysis)?,
        (Domain::Llm, "llm-accuracy") => lines::scores(analysis)?,
        (Domain::Llm, "llm-entropy") => llm::entropy(analysis)?,
        (Domain::Llm, "llm-pass-at-k") => llm::pass(analysis)?,
        (domain, _) => {
            let takes = |figure: &&str| *figure == IMPROVEMENT || domain.has(figure);
            return Err(ReportError::Unknown {
                experiment: analysis.board.study.experiment.clone(),
                kind: "figure",
                name: name.to_owned(),
                valid: FIGURES.iter().copied().filter(takes).collect(),
            });
        }
    };
    let failed = |reason: String| ReportError::Figure {
        name: name.to_owned(),
        reason,
    };
    let origin = Origin::new(name, analysis, records);
    let svg = drawn
        .and_then(|drawing| draw::finish(drawing, &origin))
        .map_err(failed)?;
    let pdf = pdf::from_svg(&svg, &origin).map_err(failed)?;
    Ok((svg, pdf))
}
