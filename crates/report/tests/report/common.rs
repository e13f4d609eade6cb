//! Records made by the harness itself, from a method whose returns are a formula.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use era_harness::cell::CELL_FORMAT;
use era_harness::run::{CheckpointEvery, Run};
use era_harness::stop::Stop;
use era_harness::store::Store;
use era_harness::worker::{self, WorkerOptions, WorkerOutcome};
use era_harness::{Cell, Cost, Method, ParamError, Params, Suite, TrainError};
use era_report::claims::Ledger;
use era_report::{Report, ReportError, ReportInputs, Study};

use crate::{llm, vision};

/// A method that records returns and entropies by formula.
#[derive(Debug)]
struct Scripted(&'static str);

pub(crate) const ODD: &str = r"odd_50%&{1}#\x";

fn registry() -> Vec<Suite> {
    let methods: Vec<&'static dyn Method> = vec![
        &Scripted("sac"),
        &Scripted("sac-era"),
        &Scripted("sac-no-entropy"),
        &Scripted("ppo"),
        &Scripted("ppo-era"),
        &Scripted(ODD),
    ];
    let suite = |name, methods| Suite {
        name,
        about: "by formula",
        tasks: Vec::new(),
        methods,
    };
    vec![
        suite("bench", methods),
        suite("vision", vision::methods()),
        suite("llm", llm::methods()),
    ]
}

impl Method for Scripted {
    fn name(&self) -> &'static str {
        self.0
    }
    fn about(&self) -> &'static str {
        "returns by formula"
    }
    fn revision(&self) -> u32 {
        1
    }
    fn supports(&self, _task: &str) -> Result<(), String> {
        Ok(())
    }
    fn resolve(&self, _task: &str, given: &Params) -> Result<Params, ParamError> {
        Ok(given.clone())
    }
    fn cost(&self, _task: &str, _params: &Params) -> Cost {
        Cost {
            seconds: 0.0,
            memory: 0,
        }
    }
    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        if cell.params.contains_key("fail") {
            return Err(TrainError::Other("asked to fail".into()));
        }
        let quality = 1.0 + self.0.len() as f64 / 10.0;
        let size = if cell.task == "mini/reacher" {
            -3.0
        } else {
            400.0
        };
        for evaluation in 1..=5_u64 {
            let step = evaluation * 2_000;
            // Deterministic, uneven, different for each seed.
            let luck = ((cell.seed * 7 + evaluation * 3) % 5) as f64 / 20.0;
            let value = match size {
                ..0.0 => size * (2.0 + luck) / (quality + evaluation as f64),
                _ => size * (quality * evaluation as f64 + luck),
            };
            let episodes: Vec<f64> = (0..4)
                .map(|episode| value + f64::from(episode) / 8.0)
                .collect();
            run.log_series(step, "eval/return", &episodes)?;
            let entropy = 1.5 + luck - 0.2 * evaluation as f64;
            run.log(
                step,
                &[
                    ("policy/entropy_mean", entropy),
                    ("policy/entropy_min", entropy - 0.75),
                ],
            )?;
            if self.0.contains("era") {
                run.log(
                    step,
                    &[
                        ("policy/bound", -1.0),
                        ("policy/bound_violations", 0.0),
                        ("policy/sigma_min_clipped", 0.02 * luck),
                        ("era/delta", 1.0 + luck),
                    ],
                )?;
            }
        }
        Ok(())
    }
}

/// An artifacts folder and a paper folder with the real templates.
pub(crate) struct Bench {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) paper: PathBuf,
    pub(crate) study: Study,
    pub(crate) scale: &'static str,
}

impl Bench {
    /// The study of these tasks and methods with this many seeds; nothing is run yet.
    pub(crate) fn new(tasks: &[&str], methods: &[&str], seeds: u64) -> Self {
        let mut cells = Vec::new();
        for task in tasks {
            for method in methods {
                cells.extend((0..seeds).map(|seed| cell(task, method, seed, Params::new())));
            }
        }
        Self::with(Study {
            experiment: "control".into(),
            about: "returns by formula".into(),
            cells,
            tables: of_control(era_report::TABLES),
            figures: Vec::new(),
        })
    }

    /// Any study; nothing is run yet.
    pub(crate) fn with(study: Study) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paper = folder.path().join("paper");
        std::fs::create_dir_all(paper.join("templates")).unwrap();
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../paper/templates");
        for entry in std::fs::read_dir(templates).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(
                entry.path(),
                paper.join("templates").join(entry.file_name()),
            )
            .unwrap();
        }
        let baselines = folder.path().join("baselines");
        std::fs::create_dir(&baselines).unwrap();
        let published =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../baselines/published.yaml");
        std::fs::copy(published, baselines.join("published.yaml")).unwrap();
        Self {
            store: Store::new(folder.path().join("artifacts")),
            paper,
            study,
            scale: "cpu",
            _folder: folder,
        }
    }

    pub(crate) fn with_figures(mut self) -> Self {
        self.study.figures = of_control(era_report::FIGURES);
        self
    }

    /// Runs a cell as the driver does.
    pub(crate) fn run(&self, cell: &Cell) -> WorkerOutcome {
        let options = WorkerOptions {
            checkpoint_every: CheckpointEvery::Asked(1_000_000),
            progress: false,
            stop: Stop::new(),
            versions: BTreeMap::new(),
            commit: "0123abc".into(),
            cache: std::env::temp_dir(),
            device_index: 0,
        };
        let dir = self.store.prepare(self.scale, cell).unwrap();
        worker::train(&registry(), &dir, &options).unwrap()
    }

    pub(crate) fn run_all(&self) {
        for cell in &self.study.cells {
            assert_eq!(self.run(cell), WorkerOutcome::Done);
        }
    }

    pub(crate) fn try_build(&self) -> Result<Report, ReportError> {
        self.build_with(None)
    }

    pub(crate) fn build_with(&self, claims: Option<&Ledger>) -> Result<Report, ReportError> {
        era_report::build(&ReportInputs {
            claims,
            scale: self.scale,
            store: &self.store,
            studies: std::slice::from_ref(&self.study),
            templates: &self.paper.join("templates"),
            published: &self.paper.join("../baselines/published.yaml"),
        })
    }

    pub(crate) fn build(&self) -> Report {
        self.try_build().unwrap()
    }

    /// Where a cell's metrics are.
    pub(crate) fn metrics(&self, cell: &Cell) -> PathBuf {
        self.store.dir(self.scale, cell).join("metrics.parquet")
    }

    /// Changes a text in a file.
    pub(crate) fn edit(path: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {}", path.display());
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

/// The names that a suite which records returns may ask for.
pub(crate) fn of_control(names: &[&str]) -> Vec<String> {
    let of_others = |name: &&&str| name.starts_with("vision-") || name.starts_with("llm-");
    let names = names.iter().filter(|name| !of_others(name));
    names.map(ToString::to_string).collect()
}

pub(crate) fn cell(task: &str, method: &str, seed: u64, params: Params) -> Cell {
    Cell {
        format: CELL_FORMAT,
        suite: "bench".into(),
        task: task.into(),
        method: method.into(),
        revision: 1,
        seed,
        engine: "flex".into(),
        params,
        inputs: BTreeMap::new(),
    }
}

/// A generated file as text.
pub(crate) fn text<'a>(report: &'a Report, file: &str) -> &'a str {
    std::str::from_utf8(&report.files[file]).unwrap()
}
