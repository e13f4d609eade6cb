//! Which tables there are: those of the paper and those of the terminal, by what a suite is judged by.

use super::{Block, Column, Entry, Row, Table, paired, runs_column};
use crate::analysis::{Comparison, Normalised};
use crate::domain::{ACCURACY, Domain};
use crate::html::section::Maker;
use crate::published::Configuration;
use crate::table::vision;

const ESTIMATES: &str =
    "Interquartile means over runs with their 95 % bootstrap intervals (none for a single run).";

/// All tables of a study, whichever of them it asks for in the paper.
pub(crate) fn tables(maker: &mut Maker<'_, '_>) -> Vec<Table> {
    match maker.analysis.domain() {
        Domain::Control => vec![returns(maker), policy_entropy(maker), pairs(maker)],
        Domain::Vision => vec![
            classification(maker),
            calibration(maker),
            prediction_entropy(maker),
            pairs(maker),
        ],
        Domain::Llm => {
            let mut tables = vec![problems(maker), token_entropy(maker), pairs(maker)];
            tables.extend(published_problems(maker));
            tables
        }
    }
}

fn returns(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::estimate("return", "return"),
        Column::plain("entropy", "entropy"),
        Column::plain("target", "bound").or("none"),
    ];
    let mut blocks = maker.by_task(&columns, |_, _| true);
    let mut caption = format!(
        "Return at the last evaluation, and the policy's entropy (nats) beside its target. {ESTIMATES}"
    );
    let several = maker.analysis.scores().len() > 1;
    match &maker.analysis.normalised {
        Ok(normalised) if several => {
            blocks.push(over_all(maker, normalised));
            caption.push_str(&format!(
                " Over all tasks returns are normalised: 0 is the mean return of all runs at their first evaluation, 1 that of \
                 {} at its last; intervals take this scale as given.",
                normalised.baseline
            ));
        }
        Err(reason) if several => {
            caption.push_str(&format!(" There is no score over all tasks: {reason}."));
        }
        _ => {}
    }
    caption.push_str(&maker.left_out());
    let id = maker.id("returns");
    Table {
        blocks,
        ..Table::new(id, "Returns", "method", columns).caption(caption)
    }
}

fn over_all(maker: &mut Maker<'_, '_>, normalised: &Normalised) -> Block {
    let mut rows = Vec::new();
    for row in &normalised.rows {
        let cells = row.cells();
        let runs = Entry::Runs {
            text: cells.len().to_string(),
            set: maker.cells.set(&cells),
        };
        let score = maker.number(&["all tasks", &row.method, "score"]);
        rows.push(Row {
            label: row.method.clone(),
            entries: vec![
                runs,
                Entry::of(score, "–"),
                Entry::words(""),
                Entry::words(""),
            ],
        });
    }
    rows.extend(normalised.without.iter().map(|method| Row {
        label: method.clone(),
        entries: ["–", "–", "", ""].map(Entry::words).into(),
    }));
    Block {
        title: format!("all {} tasks", normalised.tasks),
        rows,
    }
}

fn policy_entropy(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::plain("target", "bound").or("none"),
        Column::plain("mean", "entropy"),
        Column::plain("lowest", "lowest entropy"),
        Column::plain("below target %", "violations"),
        Column::plain("σ at minimum %", "clipped"),
        Column::plain("δ", "delta"),
    ];
    let caption = "Entropy of the policy in nats against the method's target: the mean over runs at the last evaluation, the \
                   lowest of any state that was evaluated in all of training, the share of those states below the target and \
                   that of their standard deviations at the smallest one allowed, and the compensation δ at the last evaluation. \
                   What ERA fixes is the entropy of its Gaussian before that is truncated or squashed: without a compensation the policy \
                   itself may have less than the target.";
    audit(maker, columns, caption)
}

fn prediction_entropy(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::plain("bound H0", "bound").or("none"),
        Column::plain("mean", "entropy"),
        Column::plain("lowest", "lowest entropy"),
        Column::plain("below bound %", "violations"),
    ];
    let caption = "Entropy of test predictions in nats against the method's bound, at the last evaluation: the mean over runs, \
                   the lowest of any prediction of any run, and the share of predictions below the bound.";
    audit(maker, columns, caption)
}

fn audit(maker: &mut Maker<'_, '_>, columns: Vec<Column>, caption: &str) -> Table {
    let analysis = maker.analysis;
    let blocks = maker.by_task(&columns, |task, method| {
        analysis.entropy_of(task, method).is_some()
    });
    let caption = format!("{caption}{}", maker.left_out());
    let id = maker.id("entropy-audit");
    Table {
        blocks,
        none: "no finished run recorded its entropy",
        ..Table::new(id, "Entropy audit", "method", columns).caption(caption)
    }
}

fn pairs(maker: &mut Maker<'_, '_>) -> Table {
    let score = maker.analysis.domain().score();
    let columns = vec![
        Column::estimate("P(improvement)", "probability"),
        Column::estimate(&format!("difference, {}", score.label), "difference"),
        Column::plain("runs", ""),
    ];
    let analysis = maker.analysis;
    let mut blocks = Vec::new();
    for pair in &analysis.pairs {
        let mut row = |comparison: &Comparison| {
            let task = match comparison.task.as_str() {
                "" => "all tasks",
                task => task,
            };
            let mut of = |word: &str| {
                let place = [task, &pair.left, "over", &pair.right, word];
                Entry::of(maker.number(&place), "–")
            };
            let (left, right) = comparison.runs;
            Row {
                label: task.to_owned(),
                entries: vec![
                    of("probability"),
                    of("difference"),
                    paired(left, right, comparison.paired),
                ],
            }
        };
        blocks.push(Block {
            rows: pair.tasks.iter().chain(&pair.all).map(&mut row).collect(),
            title: format!("{} over {}", pair.left, pair.right),
        });
    }
    let over_all = if analysis.domain().normalises() {
        " Over all tasks it is one of normalised returns."
    } else {
        ""
    };
    let caption = format!(
        "How probable it is that a run of the first method ends with a higher score than one of the second (ties count half), and the \
         difference of interquartile means over runs paired by seed, with 95 % bootstrap intervals.{over_all} Runs: of the \
         first, of the second, and pairs of both.{}",
        maker.left_out()
    );
    let id = maker.id("pairs");
    Table {
        blocks,
        none: crate::figure::NO_PAIR,
        ..Table::new(id, "Pairs of methods", "task", columns).caption(caption)
    }
}

fn classification(maker: &mut Maker<'_, '_>) -> Table {
    let mut columns = vec![
        runs_column(),
        Column::estimate("top-1 %", "top-1"),
        Column::estimate("top-5 %", "top-5"),
    ];
    let published = vision::accuracy(maker.analysis, maker.published);
    let quoted = !published.settings.is_empty();
    let mut caption = format!("Test accuracy in per cent at the last evaluation. {ESTIMATES}");
    if quoted {
        columns.extend(["top-1", "top-5", "top-1", "top-5"].map(|label| Column::plain(label, "")));
        caption.push_str(&format!(
            " Beside it, not run by us, what the paper states of {}; “as published” marks what describes none of our rows, or \
             several. What its ± means is not stated. The columns are comparable only where network and schedule are.",
            published.settings.join("; ")
        ));
    }
    let mut blocks = Vec::new();
    for task in &published.tasks {
        let mut rows = Vec::new();
        for row in &task.rows {
            rows.push(classified(maker, task.task, row, quoted));
        }
        blocks.push(Block {
            title: task.task.to_owned(),
            rows,
        });
    }
    caption.push_str(&maker.left_out());
    let id = maker.id("accuracy");
    Table {
        blocks,
        groups: match quoted {
            true => vec![
                ("ours", 5),
                ("paper, no augmentation", 2),
                ("paper, augmentation", 2),
            ],
            false => Vec::new(),
        },
        ..Table::new(id, "Accuracy", "method", columns).caption(caption)
    }
}

/// A row of our numbers, where there are any, and the published ones beside them.
fn classified(
    maker: &mut Maker<'_, '_>,
    task: &str,
    row: &vision::AccuracyRow<'_>,
    quoted: bool,
) -> Row {
    let board = &maker.analysis.board;
    let place = |names: &[String], name: &str| names.iter().position(|other| other == name);
    let place = match (
        place(&board.tasks, task),
        place(&board.methods, &row.method),
    ) {
        (Some(task), Some(method)) if row.runs.is_some() => Some((task, method)),
        _ => None,
    };
    let mut entries = match place {
        Some((task, method)) => vec![maker.runs(task, method)],
        None => vec![Entry::words("–")],
    };
    for word in ["top-1", "top-5"] {
        let number = place.and_then(|_| maker.number(&[task, &row.method, word]));
        entries.push(Entry::of(number, "–"));
    }
    if quoted {
        let quotes = row.published.iter().map(|quote| match quote {
            Some(quote) => Entry::Quote(maker.quotes.quote(quote.quoted)),
            None => Entry::words("–"),
        });
        entries.extend(quotes);
    }
    Row {
        label: row.method.clone(),
        entries,
    }
}

fn calibration(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::estimate("NLL", "NLL"),
        Column::estimate("ECE", "ECE"),
        Column::estimate("Brier", "Brier"),
        Column::estimate("confidence %", "confidence"),
    ];
    let caption = format!(
        "Test predictions at the last evaluation: negative log-likelihood in nats, expected calibration error over 15 bins of \
         equal width in percentage points, Brier score, and mean confidence in per cent. {ESTIMATES}{}",
        maker.left_out()
    );
    let blocks = maker.by_task(&columns, |_, _| true);
    let id = maker.id("calibration");
    Table {
        blocks,
        ..Table::new(id, "Calibration", "method", columns).caption(caption)
    }
}

fn problems(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::estimate("start %", "start accuracy"),
        Column::estimate("accuracy %", "accuracy"),
        Column::estimate("pass@1 %", "pass at 1"),
        Column::estimate("pass@32 %", "pass at 32"),
    ];
    let caption = format!(
        "Accuracy in per cent on the problems of the evaluation, before the first update (start) and at the last evaluation: the \
         mean over problems and their samples, and unbiased pass@1 and pass@32. {ESTIMATES}{}",
        maker.left_out()
    );
    let blocks = maker.by_task(&columns, |_, _| true);
    let id = maker.id("accuracy");
    Table {
        blocks,
        ..Table::new(id, "Accuracy", "method", columns).caption(caption)
    }
}

fn token_entropy(maker: &mut Maker<'_, '_>) -> Table {
    let columns = vec![
        runs_column(),
        Column::plain("ω_low", "threshold").or("none"),
        Column::estimate("H, start", "start entropy"),
        Column::estimate("H, end", "entropy"),
        Column::estimate("H_resp", "response entropy"),
        Column::plain("below ω_low %", "low share"),
        Column::plain("above ω_high %", "high share"),
        Column::plain("ended %", "stopped share"),
        Column::plain("length", "length"),
        Column::plain("KL to start", "divergence"),
        Column::plain("no signal %", "no signal share"),
        Column::plain("collapse alarms", "collapse alarms"),
        Column::plain("signal alarms", "no signal alarms"),
    ];
    let caption = format!(
        "Entropy in nats and what goes with it, at the last evaluation. H: mean over the tokens of answers. H_resp: mean over \
         answers of the mean entropy of their most uncertain fifth of tokens; then per cent of answers below and above ERA's \
         thresholds on it, and of those that ended by themselves; their length in tokens; the estimated KL divergence from the \
         starting policy; per cent of groups without a signal over all updates; and how many runs gave alarm of a collapsed \
         entropy or of missing signal. ω_low is a threshold of the update and no bound: no answer is promised to stay above it. \
         {ESTIMATES}{}",
        maker.left_out()
    );
    let blocks = maker.by_task(&columns, |_, _| true);
    let id = maker.id("entropy-audit");
    Table {
        blocks,
        ..Table::new(id, "Entropy audit", "method", columns).caption(caption)
    }
}

/// What others report of other problems; `None` where nothing is quoted.
fn published_problems(maker: &mut Maker<'_, '_>) -> Option<Table> {
    let quoted = |each: &&Configuration| each.number(ACCURACY.metric, None).is_some();
    let published: Vec<&Configuration> = maker.published.iter().filter(quoted).collect();
    let distinct = |names: Vec<String>| {
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct
    };
    let of = |pick: fn(&Configuration) -> String| {
        distinct(published.iter().map(|each| pick(each)).collect())
    };
    let (models, tasks) = (
        of(|each| each.setting.clone()),
        of(|each| each.task.clone()),
    );
    if tasks.is_empty() {
        return None;
    }
    let mut rows = Vec::new();
    for method in of(Configuration::label) {
        let mut value = |task: &String| {
            let mut both = published.iter();
            let both = both.find(|each| each.task == *task && each.label() == method);
            match both.and_then(|each| each.number(ACCURACY.metric, None)) {
                Some(quoted) => Entry::Quote(maker.quotes.quote(quoted)),
                None => Entry::words("–"),
            }
        };
        rows.push(Row {
            entries: tasks.iter().map(&mut value).collect(),
            label: method,
        });
    }
    let columns = tasks.iter().map(|task| Column::plain(task, "")).collect();
    let caption = "Not run by us: what the arXiv version of the paper states, in per cent, without intervals and without the number \
                   of runs; base is the model before training. Its model and its problems are others than ours, so that no more \
                   than the order of methods can be compared.";
    let id = maker.id("as-published");
    Some(Table {
        blocks: vec![Block {
            title: models.join("; "),
            rows,
        }],
        ..Table::new(id, "As published", "method", columns).caption(caption)
    })
}
