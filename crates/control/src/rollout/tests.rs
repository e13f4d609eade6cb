use era_envs::{Env, EnvError, Episode, Step};

use super::*;
use crate::methods::ppo::PpoParams;

const SPEC: Spec = Spec {
    name: "test/counter",
    obs_dim: 1,
    act_dim: 2,
    time_limit: 4,
};

/// What goes wrong at the third step of an episode.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    Observation,
    Reward,
    Simulation,
    /// Not a fault: the task ends.
    Termination,
}

/// Observes how many steps were taken; the reward is the first component of the action.
#[derive(Debug)]
struct Counter {
    steps: f64,
    fault: Fault,
}

impl Env for Counter {
    fn spec(&self) -> Spec {
        SPEC
    }

    fn reset(&mut self, _: &mut ChaCha8Rng, obs: &mut [f64]) {
        self.steps = 0.0;
        obs[0] = 0.0;
    }

    fn step(&mut self, action: &[f64], obs: &mut [f64]) -> Result<Step, EnvError> {
        self.steps += 1.0;
        let due = |fault| self.steps == 3.0 && self.fault == fault;
        if due(Fault::Simulation) {
            return Err(EnvError::Diverged {
                task: SPEC.name,
                what: "test".to_owned(),
            });
        }
        obs[0] = if due(Fault::Observation) {
            f64::NAN
        } else {
            self.steps
        };
        Ok(Step {
            reward: if due(Fault::Reward) {
                f64::INFINITY
            } else {
                action[0]
            },
            terminated: due(Fault::Termination),
        })
    }

    fn state(&self) -> Vec<f64> {
        vec![self.steps]
    }

    fn set_state(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.steps = state[0];
        Ok(())
    }
}

fn params() -> PpoParams {
    PpoParams {
        num_envs: 2,
        rollout_steps: 6,
        minibatch_size: 12,
        normalise_observations: false,
        normalise_rewards: false,
        ..PpoParams::default()
    }
}

fn rollouts(faults: [Fault; 2], params: &PpoParams) -> Rollouts {
    let counter = |fault| Episode::new(Box::new(Counter { steps: 0.0, fault }));
    let envs = Vector::new(faults.map(counter).into());
    Rollouts::over(envs, &params.common(), Streams::new(0)).expect("finite first states")
}

/// Fills a rollout with one action for both environments.
fn fill(rollouts: &mut Rollouts, action: [f32; 2]) -> Result<(), TrainError> {
    rollouts.begin();
    while !rollouts.full() {
        rollouts.take(&Actions {
            action: action.repeat(2),
            log_prob: vec![0.0; 2],
        })?;
    }
    Ok(())
}

#[test]
fn what_leaves_the_finite_numbers_is_told_with_its_step() {
    for (fault, action, expected) in [
        (Fault::Observation, 0.0, ("the simulation", 4)),
        (Fault::Reward, 0.0, ("the simulation", 4)),
        (Fault::Simulation, 0.0, ("the simulation", 4)),
        (Fault::Nothing, f32::NAN, ("the action", 0)),
        (Fault::Nothing, f32::INFINITY, ("the action", 0)),
    ] {
        let mut rollouts = rollouts([Fault::Nothing, fault], &params());
        let ended = fill(&mut rollouts, [action, 0.0]);
        let Err(TrainError::Diverged { what, step }) = ended else {
            panic!("{fault:?} ended in {ended:?}");
        };
        assert_eq!((what.as_str(), step), expected, "{fault:?}");
    }
}

#[test]
fn actions_are_clipped_for_the_environment_alone() {
    let mut rollouts = rollouts([Fault::Nothing; 2], &params());
    fill(&mut rollouts, [3.0, -0.5]).expect("finite");
    assert_eq!(rollouts.clipped(), 0.5);
    assert!(
        rollouts
            .experience
            .reward
            .iter()
            .all(|reward| *reward == 1.0)
    );
    assert!(
        rollouts
            .experience
            .action
            .chunks(2)
            .all(|action| action == [3.0, -0.5])
    );
}

/// By hand, with V(s) = s, rewards of 1, discount 0.5 and lambda 0, so that A = 1 + 0.5 V(s') - V(s): the first
/// environment is cut off after its fourth step and bootstraps from the 4 that it ended in, not from the 0 after it; the
/// second ends with its third step and does not.
#[test]
fn a_time_limit_bootstraps_from_the_state_that_it_ended_in() {
    let mut rollouts = rollouts([Fault::Nothing, Fault::Termination], &params());
    fill(&mut rollouts, [1.0, 0.0]).expect("finite");
    let value = |obs: &[f32]| obs.iter().copied().map(f64::from).collect();
    let Estimates {
        advantage, returns, ..
    } = rollouts.estimate(value, 0.5, 0.0);
    let of = |environment: usize| -> Vec<f64> {
        advantage
            .iter()
            .skip(environment)
            .step_by(2)
            .copied()
            .collect()
    };
    assert_eq!(of(0), [1.5, 1.0, 0.5, 0.0, 1.5, 1.0]);
    assert_eq!(of(1), [1.5, 1.0, -1.0, 1.5, 1.0, -1.0]);
    assert_eq!(returns[0], 1.5);
    assert_eq!(rollouts.take_mean_return(), Some(10.0 / 3.0));
    assert_eq!(rollouts.take_mean_return(), None);
}

#[test]
fn every_row_is_in_one_minibatch_of_an_epoch() {
    let mut rollouts = rollouts([Fault::Nothing; 2], &params());
    fill(&mut rollouts, [1.0, 0.0]).expect("finite");
    let (first, second) = (rollouts.shuffled(0), rollouts.shuffled(1));
    assert_ne!(first, second);
    assert_eq!(first, rollouts.shuffled(0));
    let mut sorted = first;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..12).collect::<Vec<_>>());
}

/// Stopped between two rollouts, in the middle of an episode.
#[test]
fn a_restored_collector_goes_on_as_the_first() {
    let params = PpoParams {
        normalise_observations: true,
        normalise_rewards: true,
        ..params()
    };
    let mut first = rollouts([Fault::Nothing, Fault::Termination], &params);
    fill(&mut first, [1.0, 0.0]).expect("finite");
    let checkpoint = first.save();
    let mut second = rollouts([Fault::Nothing, Fault::Termination], &params);
    second.restore(&checkpoint).expect("it fits");
    assert_eq!(second.observations(), first.observations());
    for rollouts in [&mut first, &mut second] {
        fill(rollouts, [0.5, 0.0]).expect("finite");
    }
    assert_eq!(second.experience.obs, first.experience.obs);
    assert_eq!(second.experience.reward, first.experience.reward);
    assert_eq!(second.experience.cut_obs, first.experience.cut_obs);
    assert_eq!(second.step(), 24);
    assert_eq!(second.take_mean_return(), first.take_mean_return());
}

#[test]
fn a_checkpoint_of_another_shape_is_refused() {
    let mut one = rollouts([Fault::Nothing; 2], &params());
    let mut checkpoint = one.save();
    checkpoint.arrays.remove("normalise.obs");
    assert!(one.restore(&checkpoint).is_err());
}
