//! pass@k against k: at the last evaluation and before training.

use std::collections::BTreeMap;

use era_stats::{Bootstrap, Estimate};

use super::{curve_bootstrap, iqm, values};
use crate::board::{Board, Score, at_start, last};
use crate::domain::PASS_AT;
use crate::error::ReportError;
use crate::frame::Series;

/// pass@k on one task, as shares.
pub(crate) struct PassAt {
    /// Position of the task on the board.
    pub(crate) task: usize,
    /// At the last evaluation, for each method that recorded it.
    pub(crate) trained: Vec<PassCurve>,
    /// Before training: one curve of no method where all methods start from the same policies, else one for each.
    pub(crate) start: Vec<PassCurve>,
}

/// One curve.
pub(crate) struct PassCurve {
    /// Position of the method on the board; `None` for all methods.
    pub(crate) method: Option<usize>,
    /// k and the IQM over runs.
    pub(crate) points: Vec<(u32, Estimate)>,
    /// Most runs at any k.
    pub(crate) runs: usize,
}

/// The scores of some runs at each k.
type ByK = Vec<(u32, Vec<Score>)>;

/// The curves of every task on which some run recorded pass@k.
pub(crate) fn pass_at(board: &Board<'_>) -> Result<Vec<PassAt>, ReportError> {
    let series = PASS_AT.iter().map(|(k, measure)| {
        let series = board.series(measure.metric)?;
        Ok((*k, series))
    });
    let series: Vec<(u32, Vec<Series>)> = series.collect::<Result<_, ReportError>>()?;
    let bootstrap = curve_bootstrap()?;
    let mut tasks = Vec::new();
    for task in 0..board.tasks.len() {
        let of = |pick: fn(&Series) -> Option<f64>| -> Vec<(usize, ByK)> {
            let scores = |method: usize| -> ByK {
                let at =
                    |(k, runs): &(u32, Vec<Series>)| (*k, board.scores(runs, (task, method), pick));
                series.iter().map(at).collect()
            };
            let methods = (0..board.methods.len()).map(|method| (method, scores(method)));
            methods.collect()
        };
        let curves = |methods: Vec<(Option<usize>, ByK)>| -> Result<Vec<PassCurve>, ReportError> {
            let curves = methods.into_iter();
            let curves = curves.map(|(method, scores)| curve(method, &scores, &bootstrap));
            let curves: Vec<PassCurve> = curves.collect::<Result<_, _>>()?;
            Ok(curves
                .into_iter()
                .filter(|curve| !curve.points.is_empty())
                .collect())
        };
        let each = |methods: Vec<(usize, ByK)>| {
            let methods = methods.into_iter();
            methods.map(|(method, scores)| (Some(method), scores))
        };
        let trained = curves(each(of(last)).collect())?;
        let starts = of(at_start);
        let start = match shared(&starts) {
            Some(scores) => curves(vec![(None, scores)])?,
            None => curves(each(starts).collect())?,
        };
        if !trained.is_empty() {
            tasks.push(PassAt {
                task,
                trained,
                start,
            });
        }
    }
    Ok(tasks)
}

fn curve(
    method: Option<usize>,
    scores: &ByK,
    bootstrap: &Bootstrap,
) -> Result<PassCurve, ReportError> {
    let mut points = Vec::new();
    for (k, scores) in scores {
        points.extend(iqm(&values(scores), bootstrap)?.map(|estimate| (*k, estimate)));
    }
    let runs = scores.iter().map(|(_, scores)| scores.len()).max();
    Ok(PassCurve {
        method,
        points,
        runs: runs.unwrap_or(0),
    })
}

/// One run of each seed, where runs of the same seed have the same values whatever their method; else nothing.
fn shared(methods: &[(usize, ByK)]) -> Option<ByK> {
    let mut all: Vec<(u32, BTreeMap<u64, Score>)> = Vec::new();
    for (_, scores) in methods {
        for (at, (k, scores)) in scores.iter().enumerate() {
            if all.len() == at {
                all.push((*k, BTreeMap::new()));
            }
            for score in scores {
                let first = all[at].1.entry(score.seed).or_insert_with(|| score.clone());
                if first.value != score.value {
                    return None;
                }
            }
        }
    }
    let by_k = all.into_iter();
    Some(
        by_k.map(|(k, seeds)| (k, seeds.into_values().collect()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use era_harness::CellId;

    use super::*;

    #[test]
    fn a_start_is_shared_where_seeds_agree() {
        let score = |seed: u64, value: f64| Score {
            seed,
            cell: CellId("a cell".into()),
            value,
        };
        let one = (0, vec![(1, vec![score(0, 0.25), score(1, 0.5)])]);
        // Another seed, and one in common.
        let other = (1, vec![(1, vec![score(1, 0.5), score(2, 0.75)])]);
        let shared_scores = shared(&[one.clone(), other]).unwrap();
        assert_eq!(values(&shared_scores[0].1), [0.25, 0.5, 0.75]);
        let differs = (1, vec![(1, vec![score(1, 0.25)])]);
        assert!(shared(&[one, differs]).is_none());
        assert!(shared(&[]).unwrap().is_empty());
    }
}
