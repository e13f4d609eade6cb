//! The suite `mock`: a trainer of a few lines whose faults are parameters, so that all that surrounds training
//! (scheduler, cache, resume, failures, reports) is tested in milliseconds.

use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::cell::{Cell, Params};
use crate::method::{self, Cost, Method, ParamError, ParamSet, Suite, Task, TrainError};
use crate::run::{Array, Checkpoint, Run};
use crate::seed::Streams;

/// Episodes of an evaluation.
const EPISODES: usize = 5;

/// The suite.
pub fn suite() -> Suite {
    let task = |name, about| Task {
        name,
        about,
        needs: None,
        available: true,
        inputs: method::no_inputs,
    };
    let absent = Task {
        needs: Some("mock-part"),
        available: false,
        ..task("mock/absent", "cannot be run: no build has the native part")
    };
    Suite {
        name: "mock",
        about: "a trainer of a few lines, for testing what surrounds training",
        tasks: vec![
            task(
                "mock/quadratic",
                "descend a noisy quadratic in four dimensions",
            ),
            task("mock/steps", "count steps"),
            absent,
        ],
        methods: vec![
            &Descent {
                name: "mock-sgd",
                momentum: 0.0,
                chain: Chain::Alone,
            },
            &Descent {
                name: "mock-momentum",
                momentum: 0.9,
                chain: Chain::Alone,
            },
            &Descent {
                name: "mock-source",
                momentum: 0.0,
                chain: Chain::Source,
            },
            &Descent {
                name: "mock-warm",
                momentum: 0.0,
                chain: Chain::Warm,
            },
        ],
    }
}

/// Parameters of all methods. Steps at which a fault happens are counted from 1; 0 means never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockParams {
    /// Steps of the run.
    pub steps: u64,
    /// Steps between evaluations.
    pub eval_every: u64,
    /// Size of a step of descent.
    pub learning_rate: f64,
    /// Standard deviation of the noise on gradients and returns.
    pub noise: f64,
    /// Milliseconds that a step takes.
    pub sleep_ms: u64,
    /// Step at which the run ends with an error.
    pub fail_at: u64,
    /// Step at which it panics.
    pub panic_at: u64,
    /// Step at which it logs a value that is not a number.
    pub nan_at: u64,
    /// Step at which it sends itself SIGKILL, unless it was resumed.
    pub kill_at: u64,
    /// Step at which it hangs and hears no request to stop, unless it was resumed.
    pub hang_at: u64,
    /// Step at which it takes in what no other process has, its number: two runs then differ.
    pub drift_at: u64,
    /// Forget part of its state when it is resumed, its velocity: an interrupted run of a method with momentum then differs.
    pub forgetful: bool,
}

impl Default for MockParams {
    fn default() -> Self {
        Self {
            steps: 100,
            eval_every: 10,
            learning_rate: 0.05,
            noise: 0.1,
            sleep_ms: 0,
            fail_at: 0,
            panic_at: 0,
            nan_at: 0,
            kill_at: 0,
            hang_at: 0,
            drift_at: 0,
            forgetful: false,
        }
    }
}

impl ParamSet for MockParams {
    const ADDED: &'static [&'static str] = &["drift_at", "forgetful"];

    fn validate(&self, _task: &str) -> Result<(), ParamError> {
        let refuse = |key: &str, message: String| {
            Err(ParamError::Range {
                key: key.into(),
                message,
            })
        };
        if self.steps == 0 {
            return refuse("steps", "must be at least 1, not 0".into());
        }
        if self.eval_every == 0 {
            return refuse("eval_every", "must be at least 1, not 0".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return refuse(
                "learning_rate",
                format!("must be above 0 and at most 1, not {}", self.learning_rate),
            );
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return refuse("noise", format!("must be at least 0, not {}", self.noise));
        }
        Ok(())
    }
}

/// Gradient descent, with or without momentum.
#[derive(Debug)]
struct Descent {
    name: &'static str,
    momentum: f64,
    chain: Chain,
}

/// What a run has to do with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    /// Nothing.
    Alone,
    /// It leaves its last position.
    Source,
    /// It begins at the position that `mock-source` leaves with seed 0 and the same parameters.
    Warm,
}

impl Method for Descent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        match (self.chain, self.momentum) {
            (Chain::Source, _) => "noisy gradient descent that others go on from",
            (Chain::Warm, _) => "noisy gradient descent from where `mock-source` ends",
            (Chain::Alone, 0.0) => "noisy gradient descent",
            (Chain::Alone, _) => "noisy gradient descent with momentum",
        }
    }

    fn revision(&self) -> u32 {
        1
    }

    fn supports(&self, task: &str) -> Result<(), String> {
        if self.momentum != 0.0 && task == "mock/steps" {
            return Err("counting has no momentum".into());
        }
        Ok(())
    }

    fn resolve(&self, task: &str, given: &Params) -> Result<Params, ParamError> {
        method::resolve::<MockParams>(task, given)
    }

    fn requires(&self, cell: &Cell) -> Vec<Cell> {
        match self.chain {
            Chain::Alone | Chain::Source => Vec::new(),
            Chain::Warm => vec![source_of(cell)],
        }
    }

    fn cost(&self, task: &str, params: &Params) -> Cost {
        let params: MockParams = method::typed(task, params).unwrap_or_default();
        Cost {
            seconds: params.steps as f64 * (params.sleep_ms as f64 / 1e3 + 1e-6),
            memory: 10 << 20,
        }
    }

    fn train(&self, cell: &Cell, run: &mut Run) -> Result<(), TrainError> {
        let params: MockParams = method::typed(&cell.task, &cell.params)
            .map_err(|error| TrainError::Other(error.to_string()))?;
        let resumed = run.resume()?;
        let mut state = match &resumed {
            Some(checkpoint) => State::restore(checkpoint)?,
            None if self.chain == Chain::Warm => State::left(&run.left_by(&source_of(cell))?)?,
            None => State::start(run.streams()),
        };
        if resumed.is_some() && params.forgetful {
            state.velocity.fill(0.0);
        }
        for step in state.step + 1..=params.steps {
            thread::sleep(Duration::from_millis(params.sleep_ms));
            misbehave(&params, step, resumed.is_some())?;
            state.descend(&params, self.momentum, run.streams(), step);
            if step == params.drift_at {
                state.position[0] += f64::from(std::process::id()) * 1e-9;
            }
            if step % params.eval_every == 0 || step == params.steps || step == params.nan_at {
                report(&cell.task, &params, &state, run)?;
            }
            if run.checkpoint_due() {
                run.save(&state.checkpoint())?;
            }
        }
        match self.chain {
            Chain::Source => run.leave(serde_json::json!(state.position).to_string().as_bytes()),
            Chain::Alone | Chain::Warm => Ok(()),
        }
    }
}

/// The cell that `mock-warm` begins at the end of.
fn source_of(cell: &Cell) -> Cell {
    Cell {
        method: "mock-source".into(),
        seed: 0,
        ..cell.clone()
    }
}

/// The faults that are asked for at `step`.
fn misbehave(params: &MockParams, step: u64, resumed: bool) -> Result<(), TrainError> {
    assert!(
        step != params.panic_at,
        "the mock was asked to panic at step {step}"
    );
    if step == params.fail_at {
        return Err(TrainError::Other(format!(
            "the mock was asked to fail at step {step}"
        )));
    }
    if step == params.kill_at && !resumed {
        raise(Signal::SIGKILL).map_err(|error| TrainError::Other(error.to_string()))?;
    }
    if step == params.hang_at && !resumed {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    Ok(())
}

/// Evaluates, records and tells progress.
fn report(task: &str, params: &MockParams, state: &State, run: &mut Run) -> Result<(), TrainError> {
    let step = state.step;
    let value = match task {
        "mock/steps" => step as f64,
        _ => -state.loss(),
    };
    let value = if step == params.nan_at {
        f64::NAN
    } else {
        value
    };
    run.log(
        step,
        &[("train/loss", -value), ("eval/entropy", 1.0 / step as f64)],
    )?;
    let mut noise = run.streams().at("evaluation", step);
    let returns: Vec<f64> = (0..EPISODES)
        .map(|_| value + params.noise * centered(&mut noise))
        .collect();
    run.log_series(step, "eval/return", &returns)?;
    run.log_timing(step, &[("steps-per-second", 1e3 / params.sleep_ms as f64)])?;
    run.headline(&[("return", value), ("entropy", 1.0 / step as f64)]);
    run.progress(step, params.steps);
    Ok(())
}

/// A uniform number with mean 0 and standard deviation 1.
fn centered(rng: &mut impl rand::Rng) -> f64 {
    (rng.random::<f64>() - 0.5) * 12.0_f64.sqrt()
}

/// All that the trainer keeps between steps.
#[derive(Clone, Debug, PartialEq)]
struct State {
    step: u64,
    position: Vec<f64>,
    velocity: Vec<f64>,
}

impl State {
    fn start(streams: Streams) -> Self {
        let mut rng = streams.at("initial position", 0);
        Self {
            step: 0,
            position: (0..4).map(|_| centered(&mut rng)).collect(),
            velocity: vec![0.0; 4],
        }
    }

    /// Half the squared distance to (1, 1, 1, 1).
    fn loss(&self) -> f64 {
        self.position.iter().map(|x| (x - 1.0).powi(2)).sum::<f64>() / 2.0
    }

    fn descend(&mut self, params: &MockParams, momentum: f64, streams: Streams, step: u64) {
        let mut rng = streams.at("gradient noise", step);
        for (position, velocity) in self.position.iter_mut().zip(&mut self.velocity) {
            let gradient = *position - 1.0 + params.noise * centered(&mut rng);
            *velocity = momentum * *velocity - params.learning_rate * gradient;
            *position += *velocity;
        }
        self.step = step;
    }

    fn left(bytes: &[u8]) -> Result<Self, TrainError> {
        let position: Vec<f64> = serde_json::from_slice(bytes)
            .map_err(|error| TrainError::Other(format!("read a position: {error}")))?;
        Ok(Self {
            step: 0,
            velocity: vec![0.0; position.len()],
            position,
        })
    }

    fn checkpoint(&self) -> Checkpoint {
        let array = |values: &Vec<f64>| Array::F64(vec![values.len()], values.clone());
        Checkpoint {
            step: self.step,
            meta: [("dimensions".into(), self.position.len().into())].into(),
            arrays: [
                ("position".into(), array(&self.position)),
                ("velocity".into(), array(&self.velocity)),
            ]
            .into(),
        }
    }

    fn restore(checkpoint: &Checkpoint) -> Result<Self, TrainError> {
        let array = |name: &str| match checkpoint.arrays.get(name) {
            Some(Array::F64(_, values)) => Ok(values.clone()),
            _ => Err(TrainError::Other(format!(
                "the checkpoint has no array `{name}`"
            ))),
        };
        Ok(Self {
            step: checkpoint.step,
            position: array("position")?,
            velocity: array("velocity")?,
        })
    }
}
