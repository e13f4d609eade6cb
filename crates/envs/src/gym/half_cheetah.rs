//! `gym/half-cheetah`: Gymnasium's `HalfCheetah-v5`.

use crate::env::{Env, EnvError, Spec};
use crate::registry::{self, TaskInfo};

const SPEC: Spec = Spec {
    name: "gym/half-cheetah",
    obs_dim: 17,
    act_dim: 6,
    time_limit: 1000,
};

/// The task.
pub(crate) const TASK: TaskInfo = registry::mujoco(
    SPEC,
    "a planar cheetah runs forward (Gymnasium's HalfCheetah-v5)",
    make,
);

fn make() -> Result<Box<dyn Env>, EnvError> {
    Err(EnvError::NotBuiltIn {
        task: SPEC.name,
        part: "mujoco",
    })
}
