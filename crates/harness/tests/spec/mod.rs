//! A small suite for the tests of experiment files; its methods never train.

use std::path::{Path, PathBuf};

use era_harness::method::{self, ParamSet};
use era_harness::run::Run;
use era_harness::spec::{Experiment, Outputs, SpecError};
use era_harness::{Cell, Cost, Method, ParamError, Params, Suite, Task, TrainError};
use serde::{Deserialize, Serialize};

pub(crate) const OUTPUTS: Outputs<'static> = Outputs {
    tables: &["control-returns", "control-entropy"],
    figures: &["control-curves", "control-profiles"],
};

/// Three tasks and three methods; `ppo` cannot run `mini/pendulum`, and only `sac-era` has `target_entropy_per_dim`.
pub(crate) fn registry() -> Vec<Suite> {
    let task = |name| Task {
        name,
        about: "for tests",
        needs: None,
        available: true,
        inputs: era_harness::method::no_inputs,
    };
    let tasks = [
        "mini/reacher",
        "mini/point-mass",
        "mini/pendulum",
        "gym/half-cheetah",
    ]
    .map(task);
    let control = Suite {
        name: "control",
        about: "for tests",
        tasks: tasks.to_vec(),
        methods: vec![
            &Fake { name: "sac" },
            &Fake { name: "sac-era" },
            &Fake { name: "ppo" },
        ],
    };
    vec![
        control,
        Suite {
            name: "vision",
            about: "for tests",
            tasks: Vec::new(),
            methods: Vec::new(),
        },
    ]
}

/// Loads `text` as the file `experiment.yaml`.
pub(crate) fn load(text: impl AsRef<[u8]>) -> Result<Experiment, SpecError> {
    let (_folder, path) = file(text.as_ref());
    Experiment::load(&path, &registry(), OUTPUTS)
}

/// A file `experiment.yaml` in a folder of its own.
pub(crate) fn file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("experiment.yaml");
    std::fs::write(&path, text).expect("a writable temporary folder");
    (folder, path)
}

/// Shows an error as a terminal of 100 columns without colours would, without the folder of the file.
pub(crate) fn rendered(error: &SpecError, folder: &Path) -> String {
    let handler =
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
            .with_width(100);
    let mut text = String::new();
    handler
        .render_report(&mut text, error)
        .expect("writing to a string");
    let text = text.replace(&format!("{}/", folder.display()), "");
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

#[derive(Debug)]
struct Fake {
    name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SacParams {
    pub(crate) steps: u64,
    pub(crate) hidden: Vec<u64>,
    pub(crate) batch_size: u32,
    pub(crate) actor_lr: f64,
    pub(crate) discount: f64,
    pub(crate) optimiser: Optimiser,
    pub(crate) layer_norm: bool,
    pub(crate) warm_start: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Optimiser {
    Adam,
    AdamW,
}

impl Default for SacParams {
    fn default() -> Self {
        Self {
            steps: 1_000_000,
            hidden: vec![256, 256],
            batch_size: 256,
            actor_lr: 3e-4,
            discount: 0.99,
            optimiser: Optimiser::Adam,
            layer_norm: true,
            warm_start: None,
        }
    }
}

impl ParamSet for SacParams {
    fn validate(&self, _: &str) -> Result<(), ParamError> {
        if self.steps == 0 {
            return Err(range("steps", "must be at least 1, not 0"));
        }
        unit("discount", self.discount)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EraParams {
    steps: u64,
    target_entropy_per_dim: f64,
}

impl Default for EraParams {
    fn default() -> Self {
        Self {
            steps: 1_000_000,
            target_entropy_per_dim: 0.25,
        }
    }
}

impl ParamSet for EraParams {
    fn validate(&self, _: &str) -> Result<(), ParamError> {
        if self.steps == 0 {
            return Err(range("steps", "must be at least 1, not 0"));
        }
        // ln 2: the uniform density on (-1, 1).
        if self.target_entropy_per_dim > std::f64::consts::LN_2 {
            let message = format!("must be at most ln 2, not {}", self.target_entropy_per_dim);
            return Err(range("target_entropy_per_dim", &message));
        }
        Ok(())
    }
}

fn range(key: &str, message: &str) -> ParamError {
    ParamError::Range {
        key: key.to_owned(),
        message: message.to_owned(),
    }
}

fn unit(key: &str, value: f64) -> Result<(), ParamError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(range(
        key,
        &format!("must lie between 0 and 1, not {value}"),
    ))
}

impl Method for Fake {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "for tests"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, task: &str) -> Result<(), String> {
        match (self.name, task) {
            ("ppo", "mini/pendulum") => Err("it needs at least two actions".to_owned()),
            _ => Ok(()),
        }
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        match self.name {
            "sac-era" => method::resolve::<EraParams>(task, given),
            _ => method::resolve::<SacParams>(task, given),
        }
    }

    fn cost(&self, _: &str, _: &Params) -> Cost {
        Cost {
            seconds: 1.0,
            memory: 1 << 20,
        }
    }

    fn train(&self, _: &Cell, _: &mut Run) -> Result<(), TrainError> {
        Err(TrainError::Other(
            "this method is for tests of experiment files".to_owned(),
        ))
    }
}
