//! From `--suite`, `--scale` and `--only` to cells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use era_harness::spec::{self, Experiment, Filter, Outputs, Plan, SpecError};
use era_harness::store::Store;
use era_harness::{Cell, CellId, Suite};

use crate::args::Selection;
use crate::device::Devices;
use crate::fault::Fault;
use crate::ledger::Place;
use crate::registry;
use crate::skipped::{self, Skipped};

/// What `report:` in an experiment file may name.
const OUTPUTS: Outputs<'_> = Outputs {
    tables: era_report::TABLES,
    figures: era_report::FIGURES,
};

/// The folder beside the experiments that `all` leaves out.
const ABLATIONS: &str = "ablations";

/// The chosen experiments and their cells.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The experiments, in the order in which they were named, with the cells that were picked.
    pub(crate) plans: Vec<Plan>,
    /// The same experiments with all of their cells: what a report is about.
    pub(crate) whole: Vec<Plan>,
    /// Every cell once, in the order of the experiments; behind them those that they require and that no experiment has.
    pub(crate) cells: Vec<Planned>,
    /// How many of them the experiments have.
    pub(crate) asked: usize,
    /// Folder of what runs make for others to read.
    pub(crate) cache: PathBuf,
    /// Where they are trained.
    pub(crate) devices: Devices,
    /// Picked cells that are left out of all of these, as this build cannot run them (`missing: skip`).
    pub(crate) skipped: Skipped,
}

/// A cell that was chosen.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) cell: Cell,
    pub(crate) id: CellId,
    /// A short name for progress, unlike any other here: `sac-era mini/reacher s0`.
    pub(crate) name: String,
    /// The longest time limit of the experiments that share it; none as soon as one has none.
    pub(crate) time_limit: Option<Duration>,
    /// The first experiment that has it, or has a cell that requires it, as an index into [`Chosen::plans`].
    pub(crate) plan: usize,
    /// The cells whose work it reads, as indices into [`Chosen::cells`].
    pub(crate) requires: Vec<usize>,
}

/// Reads every chosen experiment file and picks the cells.
///
/// # Errors
/// All that is wrong with all files, together; a record cannot be read.
pub(crate) fn choose(selection: &Selection, suites: &[Suite]) -> Result<Chosen, Fault> {
    let devices = Devices::named(&selection.device)?;
    let engine = devices.engine.as_str();
    let filters = filters(&selection.only);
    let experiments = load(selection, suites)?;
    let (mut plans, mut whole) = (Vec::new(), Vec::new());
    let (mut wrong, mut unmatched) = (Vec::new(), Vec::new());
    for experiment in &experiments {
        let picked = experiment.plan(&selection.scale, &filters, engine);
        match picked
            .and_then(|picked| Ok((picked, experiment.plan(&selection.scale, &[], engine)?)))
        {
            Ok((picked, all)) => {
                plans.push(picked);
                whole.push(all);
            }
            Err(error) if only_filtered(&error) => unmatched.push(error),
            Err(error) => wrong.push(error),
        }
    }
    // A filter need not match in every experiment (`--suite all --only task=gym/hopper`), but in one of them.
    if plans.is_empty() {
        wrong.append(&mut unmatched);
    }
    if !wrong.is_empty() {
        return Err(Fault::Experiments(wrong));
    }
    let store = Store::new(&selection.folders.artifacts);
    let skipped = skipped::take(&mut plans, &mut whole, suites, &store)?;
    let mut cells = distinct(&plans);
    let asked = cells.len();
    add_required(&mut cells, suites);
    tell_apart(&mut cells);
    Ok(Chosen {
        plans,
        whole,
        cells,
        asked,
        cache: selection.folders.cache.cache_dir.clone(),
        devices,
        skipped,
    })
}

/// `--only`, which the command line has checked for its form already.
fn filters(only: &[String]) -> Vec<Filter> {
    only.iter().filter_map(|text| text.parse().ok()).collect()
}

fn only_filtered(error: &SpecError) -> bool {
    error.problems().iter().all(|problem| {
        matches!(
            problem.fault,
            spec::Fault::FilterKey(_) | spec::Fault::FilterValue { .. } | spec::Fault::FilteredAll
        )
    })
}

fn load(selection: &Selection, suites: &[Suite]) -> Result<Vec<Experiment>, Fault> {
    let folder = &selection.folders.experiments;
    let (mut experiments, mut wrong) = (Vec::new(), Vec::new());
    for (file, wanted) in files(&selection.suite, folder, suites)? {
        match Experiment::load(&file, suites, OUTPUTS) {
            Ok(experiment) if wanted.iter().any(|wanted| wanted.takes(&experiment)) => {
                experiments.push(experiment);
            }
            Ok(_) => {}
            Err(error) => wrong.push(error),
        }
    }
    if !wrong.is_empty() {
        return Err(Fault::Experiments(wrong));
    }
    if experiments.is_empty() {
        return Err(no_experiment(&selection.suite.join(","), folder));
    }
    Ok(experiments)
}

/// An experiment by its name, with all of its cells; `None` where there is no such file.
pub(crate) fn named(name: &str, place: Place<'_>, suites: &[Suite]) -> Result<Option<Plan>, Fault> {
    let file = place.folders.experiments.join(format!("{name}.yaml"));
    if !file.is_file() {
        return Ok(None);
    }
    let devices = Devices::named(place.device)?;
    let engine = devices.engine.as_str();
    let plan = Experiment::load(&file, suites, OUTPUTS)
        .and_then(|experiment| experiment.plan(place.scale, &[], engine));
    plan.map(Some)
        .map_err(|error| Fault::Experiments(vec![error]))
}

fn no_experiment(name: &str, folder: &Path) -> Fault {
    Fault::NoExperiment {
        name: name.to_owned(),
        folder: folder.to_owned(),
        known: known(folder),
    }
}

/// Why a file is read.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    /// It was named.
    Named,
    /// Its suite was.
    OfSuite(&'a str),
    /// Everything was.
    All,
}

impl Wanted<'_> {
    fn takes(self, experiment: &Experiment) -> bool {
        match self {
            Self::Named => true,
            Self::OfSuite(suite) => experiment.suite() == suite,
            Self::All => experiment.suite() != registry::MOCK,
        }
    }
}

/// A file, and the names that may mean it: `--suite llm,control-ppo` reads `control-ppo.yaml` for the first as well.
type File<'a> = (PathBuf, Vec<Wanted<'a>>);

/// The files that `--suite` means, each once: an experiment, an ablation with or without its folder, or all experiments of
/// a suite and the one of its name.
fn files<'a>(names: &'a [String], folder: &Path, suites: &[Suite]) -> Result<Vec<File<'a>>, Fault> {
    let mut files: Vec<File<'a>> = Vec::new();
    let mut add = |file: PathBuf, wanted| match files.iter_mut().find(|(other, _)| *other == file) {
        Some((_, all)) => all.push(wanted),
        None => files.push((file, vec![wanted])),
    };
    for name in names {
        let file = folder.join(format!("{name}.yaml"));
        let ablation = folder.join(ABLATIONS).join(format!("{name}.yaml"));
        if name == "all" {
            yaml_files(folder)
                .into_iter()
                .for_each(|file| add(file, Wanted::All));
        } else if Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml")
        {
            // One that is not there is the reader's to report, with all other errors.
            add(PathBuf::from(name), Wanted::Named);
        } else if suites.iter().any(|suite| suite.name == name) {
            if file.is_file() {
                add(file, Wanted::Named);
            }
            yaml_files(folder)
                .into_iter()
                .for_each(|file| add(file, Wanted::OfSuite(name)));
        } else if file.is_file() {
            add(file, Wanted::Named);
        } else if ablation.is_file() {
            add(ablation, Wanted::Named);
        } else {
            return Err(no_experiment(name, folder));
        }
    }
    Ok(files)
}

/// What `--suite` may name.
pub(crate) fn known(folder: &Path) -> Vec<String> {
    let ablations = folder.join(ABLATIONS);
    let files = yaml_files(folder).into_iter().chain(yaml_files(&ablations));
    files
        .filter_map(|file| {
            let name = file.with_extension("");
            Some(name.strip_prefix(folder).ok()?.display().to_string())
        })
        .collect()
}

/// The `.yaml` files directly in `folder`, in the order of their names.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    files
}

fn distinct(plans: &[Plan]) -> Vec<Planned> {
    let mut cells: Vec<Planned> = Vec::new();
    let mut seen: BTreeMap<CellId, usize> = BTreeMap::new();
    for (number, plan) in plans.iter().enumerate() {
        for cell in &plan.cells {
            let id = cell.id();
            if let Some(&known) = seen.get(&id) {
                let known = &mut cells[known];
                known.time_limit = known.time_limit.zip(plan.time_limit).map(|(a, b)| a.max(b));
                continue;
            }
            seen.insert(id.clone(), cells.len());
            cells.push(Planned {
                name: format!("{} {} s{}", cell.method, cell.task, cell.seed),
                cell: cell.clone(),
                id,
                time_limit: plan.time_limit,
                plan: number,
                requires: Vec::new(),
            });
        }
    }
    cells
}

/// Links every cell to those that it requires, which are added where they are not there. Added ones may require others.
fn add_required(cells: &mut Vec<Planned>, suites: &[Suite]) {
    let mut at = 0;
    while let Some(planned) = cells.get(at) {
        let (plan, time_limit) = (planned.plan, planned.time_limit);
        let method = suites
            .iter()
            .filter(|suite| suite.name == planned.cell.suite)
            .flat_map(|suite| &suite.methods)
            .find(|method| method.name() == planned.cell.method);
        let required = method.map(|method| method.requires(&planned.cell));
        let mut requires = Vec::new();
        for cell in required.unwrap_or_default() {
            let id = cell.id();
            let known = cells.iter().position(|other| other.id == id);
            requires.push(known.unwrap_or(cells.len()));
            if known.is_none() {
                cells.push(Planned {
                    name: format!("{} {} s{}", cell.method, cell.task, cell.seed),
                    cell,
                    id,
                    time_limit,
                    plan,
                    requires: Vec::new(),
                });
            }
        }
        cells[at].requires = requires;
        at += 1;
    }
}

/// Adds the first digits of the hash to names that several cells share (a matrix with an axis of parameters).
fn tell_apart(cells: &mut [Planned]) {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for planned in cells.iter() {
        *uses.entry(planned.name.clone()).or_default() += 1;
    }
    for planned in cells.iter_mut().filter(|planned| uses[&planned.name] > 1) {
        let hash = planned.id.0.rsplit('.').next().unwrap_or_default();
        planned.name = format!("{} {}", planned.name, &hash[..hash.len().min(4)]);
    }
}
