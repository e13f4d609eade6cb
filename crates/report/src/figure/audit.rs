//! The entropy audit: what a method promises of its policy's entropy and what it holds, beside the return.

use super::legend::Key;
use super::lines::{Axis, keys};
use super::panel::{Block, Line, Panel, Panels};
use crate::analysis::{Analysis, Curve, curves};
use crate::error::ReportError;

/// One quantity over steps; a panel in the block of each task.
struct Quantity {
    title: &'static str,
    metric: &'static str,
    /// What multiplies its values; 100 for a share, whose axis is then that of per cent.
    factor: f64,
    /// Whether the target is drawn with it.
    with_target: bool,
}

const PER_CENT: f64 = 100.0;

const QUANTITIES: [Quantity; 6] = [
    Quantity::new("return", "eval/return", 1.0, false),
    Quantity::new("mean entropy (nats)", "policy/entropy_mean", 1.0, true),
    Quantity::new("lowest entropy (nats)", "policy/entropy_min", 1.0, true),
    Quantity::new(
        "below target (%)",
        "policy/bound_violations",
        PER_CENT,
        false,
    ),
    Quantity::new(
        "σ at minimum (%)",
        "policy/sigma_min_clipped",
        PER_CENT,
        false,
    ),
    Quantity::new("δ (nats)", "era/delta", 1.0, false),
];

impl Quantity {
    const fn new(
        title: &'static str,
        metric: &'static str,
        factor: f64,
        with_target: bool,
    ) -> Self {
        Self {
            title,
            metric,
            factor,
            with_target,
        }
    }
}

/// Return, entropy, target, violations, clipping and compensation against steps: a block for each task, a panel for each
/// quantity that some run recorded.
pub(super) fn audit(analysis: &Analysis<'_>) -> Result<Panels, ReportError> {
    let board = &analysis.board;
    let targets = curves(board, "policy/bound")?;
    let means = curves(board, "policy/entropy_mean")?;
    let axis = Axis::over(&means, analysis.domain());
    let mut blocks: Vec<(usize, Block)> = Vec::new();
    for (task, _) in recorded(&means) {
        let title = board.tasks[task].clone();
        let panels = Vec::new();
        blocks.push((task, Block { title, panels }));
    }
    for quantity in &QUANTITIES {
        let tasks = curves(board, quantity.metric)?;
        if recorded(&tasks).next().is_none() {
            continue;
        }
        for (task, block) in &mut blocks {
            let targets = targets[*task].iter().filter(|_| quantity.with_target);
            let dashed = targets.map(|curve| axis.line(curve, true));
            let solid = tasks[*task].iter().map(|curve| axis.line(curve, false));
            let lines = dashed.chain(solid.map(|line| line.scaled(quantity.factor)));
            block.panels.push(panel(&axis, quantity, lines.collect()));
        }
    }
    let mut keys = keys(analysis, &means);
    if recorded(&targets).next().is_some() {
        keys.push(Key::dashed("target entropy"));
    }
    let blocks: Vec<Block> = blocks.into_iter().map(|(_, block)| block).collect();
    let why_none = "no finished run recorded its entropy";
    Ok(Panels::small(blocks, keys, why_none))
}

/// The tasks that have a curve.
fn recorded(tasks: &[Vec<Curve>]) -> impl Iterator<Item = (usize, &Vec<Curve>)> {
    let tasks = tasks.iter().enumerate();
    tasks.filter(|(_, curves)| !curves.is_empty())
}

fn panel(axis: &Axis, quantity: &Quantity, lines: Vec<Line>) -> Panel {
    let mut panel = axis.panel(quantity.title.to_owned(), "", lines);
    if quantity.factor == PER_CENT {
        panel.y = (-4.0, 104.0);
    }
    panel
}
