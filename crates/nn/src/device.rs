//! The engines of this build, and their devices.
//!
//! An engine is what computes tensors; every trainer runs on any of them. Which one is chosen when a program starts, and nothing above this
//! module names one.

use burn::tensor::Device;

/// The engines of this build by name, the best first.
pub const ENGINES: &[&str] = &[
    #[cfg(feature = "cuda")]
    "cuda",
    #[cfg(feature = "libtorch")]
    "libtorch-cuda",
    "flex",
    #[cfg(feature = "libtorch")]
    "libtorch",
    #[cfg(feature = "wgpu")]
    "wgpu",
];

/// A device that is not there. Reads after "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDevice {
    /// The engine is not in this build.
    Engine {
        /// Its name.
        engine: String,
    },
    /// The engine is there and has fewer devices.
    Index {
        /// The engine's name.
        engine: String,
        /// The number that was asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
}

impl std::fmt::Display for NoDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine { engine } => {
                let built_in = ENGINES.join(", ");
                write!(f, "compute with `{engine}`: this build has {built_in}")
            }
            Self::Index {
                engine, found: 0, ..
            } => write!(f, "compute with `{engine}`: it finds no device here"),
            Self::Index {
                engine,
                index,
                found,
            } => write!(
                f,
                "compute on `{engine}:{index}`: there are {found}, numbered from 0"
            ),
        }
    }
}

impl std::error::Error for NoDevice {}

/// The number of devices that an engine finds on this machine; none where this build lacks the engine.
pub fn devices(engine: &str) -> Option<usize> {
    if !ENGINES.contains(&engine) {
        return None;
    }
    Some(match engine {
        #[cfg(feature = "libtorch")]
        "libtorch-cuda" => usize::try_from(tch::Cuda::device_count()).unwrap_or(0),
        #[cfg(feature = "cuda")]
        "cuda" => Device::enumerate(burn::tensor::DeviceType::Cuda)
            .into_vec()
            .len(),
        #[cfg(feature = "wgpu")]
        "wgpu" => vulkan().len(),
        _ => 1,
    })
}

/// The device of this number among those of an engine.
///
/// # Errors
/// This build lacks the engine, or the machine the device.
pub fn device(engine: &str, index: usize) -> Result<Device, NoDevice> {
    let engine_name = || engine.to_owned();
    let found = devices(engine).ok_or_else(|| NoDevice::Engine {
        engine: engine_name(),
    })?;
    if index >= found {
        return Err(NoDevice::Index {
            engine: engine_name(),
            index,
            found,
        });
    }
    Ok(match engine {
        #[cfg(feature = "libtorch")]
        "libtorch" => Device::libtorch(),
        #[cfg(feature = "libtorch")]
        "libtorch-cuda" => Device::libtorch_cuda(index),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(index),
        #[cfg(feature = "wgpu")]
        "wgpu" => vulkan().swap_remove(index),
        _ => Device::flex(),
    })
}

/// Lets this process compute with one thread, as the scheduler lets its workers through their environment: more threads are slower in small
/// networks, and much slower where other processes want the cores.
pub fn one_thread() {
    #[cfg(feature = "libtorch")]
    tch::set_num_threads(1);
}

/// What names the engine that benchmarks compute with.
pub const BENCH_ENGINE: &str = "ERA_BENCH_ENGINE";

/// The engine that the environment variable [`BENCH_ENGINE`] names, Flex where it is not set, and the first device of it.
///
/// For benchmarks alone: what a run computes with is a part of its cell.
///
/// # Errors
/// As [`device`].
pub fn bench_device() -> Result<(String, Device), NoDevice> {
    let engine = std::env::var(BENCH_ENGINE).unwrap_or_else(|_| "flex".to_owned());
    let device = device(&engine, 0)?;
    Ok((engine, device))
}

/// Vulkan's devices in their own order: graphics cards first, drivers in software last.
#[cfg(feature = "wgpu")]
fn vulkan() -> Vec<Device> {
    Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_engine_is_always_there() {
        assert_eq!(devices("flex"), Some(1));
        assert_eq!(device("flex", 0), Ok(Device::flex()));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let said = |engine: &str, index| device(engine, index).unwrap_err().to_string();
        assert_eq!(
            said("flex", 2),
            "compute on `flex:2`: there are 1, numbered from 0"
        );
        assert!(said("abacus", 0).starts_with("compute with `abacus`: this build has "));
    }
}
