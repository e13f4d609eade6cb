//! `--device`: an engine, and those of its devices that share the cells.

use std::process::Command;

use era_harness::DeviceId;
use era_nn::Device;

use crate::fault::Fault;

/// Every engine that there is a build with.
const ENGINES: [&str; 5] = ["flex", "libtorch", "libtorch-cuda", "wgpu", "cuda"];
/// Memory of a graphics card that is set aside for one cell. The kernels and contexts of an engine take about 1 GiB, the networks of the
/// suites less than what is left.
const CELL_MEMORY: u64 = 4 << 30;

/// Where the cells of a command are trained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Devices {
    /// Part of every cell's identity.
    pub(crate) engine: String,
    /// Numbers of its devices; at least one.
    pub(crate) indices: Vec<usize>,
}

impl Devices {
    /// From the values of `--device`. Records can be read whatever this build and machine have, so neither is asked.
    pub(crate) fn named(given: &[String]) -> Result<Self, Fault> {
        let mut devices: Option<Self> = None;
        for name in given {
            let id = match name.as_str() {
                "auto" => best(),
                name => parsed(name)?,
            };
            let Self { engine, indices } = devices.get_or_insert_with(|| Self {
                engine: id.engine.clone(),
                indices: Vec::new(),
            });
            if *engine != id.engine {
                return Err(Fault::Engines(engine.clone(), id.engine));
            }
            if !indices.contains(&id.index) {
                indices.push(id.index);
            }
        }
        Ok(devices.unwrap_or_else(|| Self {
            engine: best().engine,
            indices: vec![0],
        }))
    }

    /// Checks that this build has the engine and this machine the devices.
    pub(crate) fn present(&self) -> Result<(), Fault> {
        self.open().map(drop)
    }

    /// The devices, in their order.
    pub(crate) fn open(&self) -> Result<Vec<Device>, Fault> {
        let open = |&index: &usize| {
            era_nn::device(&self.engine, index).map_err(|lack| Fault::Device {
                remedy: remedy(&self.engine, &lack),
                lack,
            })
        };
        self.indices.iter().map(open).collect()
    }

    /// Cells at the same time when nobody says how many: one a core, and on graphics cards no more than their free memory holds.
    pub(crate) fn jobs(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let on_cards = match self.engine.as_str() {
            "cuda" | "libtorch-cuda" => held(&self.indices, &free_memory()),
            "wgpu" => self.indices.len(),
            _ => cores,
        };
        on_cards.clamp(1, cores)
    }
}

fn parsed(name: &str) -> Result<DeviceId, Fault> {
    let unknown = || Fault::Engine {
        given: name.to_owned(),
        known: ENGINES.join(", "),
    };
    let id: DeviceId = name.parse().map_err(|_| unknown())?;
    match ENGINES.contains(&id.engine.as_str()) {
        true => Ok(id),
        false => Err(unknown()),
    }
}

/// The first device of the first engine of this build that finds one.
fn best() -> DeviceId {
    let found = |engine: &&&str| era_nn::devices(engine).is_some_and(|devices| devices > 0);
    let engine = era_nn::ENGINES.iter().find(found).copied();
    DeviceId {
        engine: engine.unwrap_or(ENGINES[0]).to_owned(),
        index: 0,
    }
}

/// The command or sentence that brings what is missing.
fn remedy(engine: &str, lack: &era_nn::NoDevice) -> String {
    match (lack, engine) {
        (era_nn::NoDevice::Engine { .. }, _) => {
            format!("`cargo xtask reproduce --device {engine}` builds with it")
        }
        (_, "libtorch-cuda") => "it takes an NVIDIA card, its driver, and a PyTorch 2.9.0 with CUDA: see docs/ENGINES.md".into(),
        (_, "wgpu") => "it takes a Vulkan driver; Mesa's runs on any processor (Debian, Ubuntu: apt install mesa-vulkan-drivers)".into(),
        (_, "cuda") => "it takes an NVIDIA card and its driver".into(),
        _ => "it has one device, number 0".into(),
    }
}

/// Cells that cards with this free memory hold at once, each with as many as the smallest.
fn held(indices: &[usize], free: &[u64]) -> usize {
    let card = |index: &usize| free.get(*index).map_or(1, |free| free / CELL_MEMORY);
    let fewest = indices.iter().map(card).min().unwrap_or(1).max(1);
    usize::try_from(fewest).unwrap_or(1) * indices.len()
}

/// Free memory of NVIDIA's cards, in bytes, in the order of their numbers; empty where their tool is not there.
fn free_memory() -> Vec<u64> {
    let query = ["--query-gpu=memory.free", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi").args(query).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    parse_memory(&text.unwrap_or_default())
}

/// Lines of MiB.
fn parse_memory(text: &str) -> Vec<u64> {
    let lines = text.lines().map(|line| line.trim().parse::<u64>());
    lines.map_while(Result::ok).map(|mib| mib << 20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Result<Devices, Fault> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Devices::named(&names)
    }

    #[test]
    fn several_devices_of_one_engine() {
        let devices = named(&["libtorch-cuda:0", "libtorch-cuda:2", "libtorch-cuda:0"]).unwrap();
        assert_eq!(
            (devices.engine.as_str(), devices.indices.as_slice()),
            ("libtorch-cuda", [0, 2].as_slice())
        );
        assert!(matches!(
            named(&["flex", "libtorch"]),
            Err(Fault::Engines(..))
        ));
        assert!(matches!(named(&["gpu"]), Err(Fault::Engine { .. })));
        assert!(matches!(named(&["cuda:x"]), Err(Fault::Engine { .. })));
    }

    #[test]
    fn a_device_that_is_not_there_is_said() {
        assert!(named(&["flex"]).unwrap().present().is_ok());
        let Err(Fault::Device { lack, remedy }) = named(&["flex:1"]).unwrap().present() else {
            panic!("there is one");
        };
        assert_eq!(
            (lack.to_string().as_str(), remedy.as_str()),
            (
                "compute on `flex:1`: there are 1, numbered from 0",
                "it has one device, number 0"
            )
        );
    }

    #[test]
    fn cards_hold_as_many_cells_as_their_memory() {
        let free = parse_memory("80000\n 9000\n");
        assert_eq!(free, [80_000 << 20, 9000 << 20]);
        assert_eq!(held(&[0], &free), 19);
        assert_eq!(held(&[0, 1], &free), 4);
        assert_eq!(held(&[1], &[]), 1);
        assert!(parse_memory("NVIDIA-SMI has failed").is_empty());
    }
}
