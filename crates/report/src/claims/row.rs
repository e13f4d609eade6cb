//! A claim with its verdict: what its comparisons come to.

use super::evidence::Evidence;
use super::file::{Claim, Test};
use super::judge::{self, Comparison, Failure, Outcome};
use super::words::{Words, size_words};
use super::{Claims, Row, Verdict};

/// Letters of the sources that are not the authors' or the reviewers' own.
const WEAK: [&str; 2] = ["N", "S"];

/// A claim as it is quoted, without a verdict.
fn quoted(claim: &Claim, claims: &Claims) -> Row {
    let sources: Vec<String> = claim.sources.iter().map(|tag| tag.value.clone()).collect();
    let published = claim.published.iter();
    let published = published.filter_map(|id| claims.published.statement(&id.value));
    Row {
        id: claim.id.value.clone(),
        domain: claim.domain,
        statement: claim.statement.clone(),
        weak: sources.iter().all(|tag| WEAK.contains(&tag.as_str())),
        sources,
        r#where: claim.r#where.clone(),
        published: published.collect(),
        size: None,
        verdict: Verdict::NotTestableHere,
        margin: None,
        estimate: None,
        interval: None,
        comparisons: Vec::new(),
        decides: None,
        cells: Vec::new(),
        miniature: None,
        note: String::new(),
        command: None,
    }
}

/// A claim judged by the records.
pub(super) fn judged(
    claim: &Claim,
    claims: &Claims,
    evidence: &Evidence<'_>,
) -> Result<Row, Failure> {
    let mut row = quoted(claim, claims);
    let size = claim.published_size(&claims.published);
    row.size = size.map(|size| size_words(claim, size));
    let Some(test) = &claim.test else {
        if let Some(untestable) = &claim.untestable {
            row.note = format!("{}; it would take {}", untestable.why, untestable.needs);
        }
        return Ok(row);
    };
    row.margin = Some(Words::of(test).region(test.region()));
    let Some(miniature) = test.scales.get(evidence.scale) else {
        let scales: Vec<&str> = test.scales.keys().map(String::as_str).collect();
        row.verdict = Verdict::NoRecordsYet;
        row.note = format!("it is tested at scale {}", scales.join(" or "));
        return Ok(row);
    };
    row.miniature.clone_from(miniature);
    row.comparisons = judge::comparisons(test, evidence)?;
    let mut notes = decide(&mut row);
    if let Some(note) = fall_short(&mut row, test, size) {
        notes.push(note);
    }
    notes.extend(test.caveat.clone());
    row.note = notes.join("; ");
    if row.verdict == Verdict::NoRecordsYet || row.comparisons.iter().any(lacks_runs) {
        row.command = Some(command(test, evidence.scale));
    }
    Ok(row)
}

fn lacks_runs(each: &Comparison) -> bool {
    each.runs < each.planned
}

/// The command that runs what a test looks at.
fn command(test: &Test, scale: &str) -> String {
    let names = test.experiments.iter().map(|name| name.value.as_str());
    let names: Vec<&str> = names.collect();
    format!(
        "cargo xtask reproduce --suite {} --scale {scale}",
        names.join(",")
    )
}

/// The verdict over all comparisons of a claim: it holds where all of them do and fails where one does. Returns what has to be said
/// beside them, each thing once.
fn decide(row: &mut Row) -> Vec<String> {
    // Of several with the same outcome the one that is farthest from what is claimed.
    let with = |outcome: Outcome| {
        let numbered = row.comparisons.iter().enumerate();
        let of = numbered.filter(move |(_, each)| each.outcome == outcome);
        of.min_by(|(_, one), (_, other)| one.slack.total_cmp(&other.slack))
            .map(|(at, _)| at)
    };
    let held = match row.miniature {
        Some(_) => Verdict::ReproducedInMiniature,
        None => Verdict::Reproduced,
    };
    let complete = with(Outcome::NoRecords).is_none();
    let (fails, open, holds) = (
        with(Outcome::Fails),
        with(Outcome::Open),
        with(Outcome::Holds),
    );
    (row.verdict, row.decides) = match (fails, open, holds) {
        (Some(fails), ..) => (Verdict::NotReproduced, Some(fails)),
        (None, Some(open), _) => (Verdict::Undecided, Some(open)),
        (None, None, Some(holds)) if complete => (held, Some(holds)),
        (None, None, Some(holds)) => (Verdict::Undecided, Some(holds)),
        (None, None, None) => (Verdict::NoRecordsYet, None),
    };
    if let Some(each) = row.decides.map(|at| &row.comparisons[at]) {
        row.estimate.clone_from(&each.estimate);
        row.interval.clone_from(&each.interval);
    }
    let mut notes: Vec<String> = Vec::new();
    for each in &row.comparisons {
        for cell in &each.cells {
            if !row.cells.contains(cell) {
                row.cells.push(cell.clone());
            }
        }
        for note in &each.notes {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
    }
    notes
}

/// At the paper's own scale an effect has to be of the published size too. Takes the verdict back where the whole interval falls short of
/// it, and says so.
fn fall_short(row: &mut Row, test: &Test, size: Option<f64>) -> Option<String> {
    let each = &row.comparisons[row.decides?];
    let (size, region) = (size?, test.region());
    let short = match (region.low.is_finite(), region.high.is_finite()) {
        (true, false) => each.high? < size,
        (false, true) => each.low? > size,
        _ => false,
    };
    if row.verdict != Verdict::Reproduced || !short {
        return None;
    }
    row.verdict = Verdict::NotReproduced;
    Some("in the direction claimed, and smaller than published".to_owned())
}
