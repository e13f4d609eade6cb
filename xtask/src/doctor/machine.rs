//! The machine: devices, cores, memory, disk.

use std::path::PathBuf;
use std::thread;

use xshell::{Shell, cmd};

use super::Finding;
use crate::paths;

/// Free disk below which a build from nothing may not fit, in bytes.
const ROOM_FOR_A_BUILD: u64 = 8 << 30;

/// What `--device` can name here.
pub(super) fn devices(sh: &Shell, libtorch: Option<PathBuf>) -> Vec<Finding> {
    let flex = format!("pure Rust on the processor, {}", vectors());
    let cards = nvidia(sh);
    vec![
        Finding::ok("flex", flex),
        match libtorch {
            Some(folder) => Finding::ok("libtorch", paths::shown(&folder)),
            None => Finding::optional(
                "libtorch",
                "PyTorch's kernels",
                "cargo xtask setup libtorch",
            ),
        },
        match vulkan_drivers() {
            drivers if drivers.is_empty() => Finding::optional(
                "wgpu",
                "no Vulkan driver",
                "in software: apt-get install mesa-vulkan-drivers",
            ),
            drivers => Finding::ok("wgpu", format!("Vulkan: {}", drivers.join(" "))),
        },
        match cards.is_empty() {
            true => Finding::optional(
                "cuda",
                "no NVIDIA card",
                "a card and its driver; see docs/ENGINES.md",
            ),
            false => Finding::ok("cuda", cards.join(", ")),
        },
    ]
}

/// The names of NVIDIA's cards.
fn nvidia(sh: &Shell) -> Vec<String> {
    let listed = cmd!(sh, "nvidia-smi --query-gpu=name --format=csv,noheader")
        .quiet()
        .ignore_stderr()
        .read();
    let listed = listed.unwrap_or_default();
    let names = listed.lines().map(|line| line.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// What Vulkan's loader looks for: a file for each driver.
fn vulkan_drivers() -> Vec<String> {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].map(std::fs::read_dir);
    let files = folders.into_iter().flatten().flatten().flatten();
    let mut names: Vec<String> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let name = name.strip_suffix(".json")?;
            Some(name.split(['.', '_']).next()?.to_owned())
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

pub(super) fn resources(sh: &Shell) -> Vec<Finding> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![
        Finding::ok("cores", format!("{cores}: as many runs side by side")),
        match sh
            .read_file("/proc/meminfo")
            .ok()
            .as_deref()
            .and_then(available_memory)
        {
            Some(bytes) => Finding::ok("memory", format!("{} available", size(bytes))),
            None => Finding::ok("memory", "not known on this system"),
        },
        disk(sh),
    ]
}

/// What the matrix products can use.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return "AVX-512";
    } else if std::arch::is_x86_feature_detected!("avx2") {
        return "AVX2 (AVX-512 would be twice as fast)";
    }
    "no AVX"
}

fn disk(sh: &Shell) -> Finding {
    let target = paths::target();
    // Before the first build there is no such folder: its nearest ancestor lies on the same disk.
    let there = target
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| paths::root());
    let free = cmd!(sh, "df -Pk {there}")
        .quiet()
        .ignore_stderr()
        .read()
        .ok()
        .as_deref()
        .and_then(free_disk);
    match free {
        None => Finding::ok("disk", "free space not known on this system"),
        Some(bytes) if bytes < ROOM_FOR_A_BUILD => Finding::low(
            "disk",
            format!("{} free at {}", size(bytes), paths::shown(there)),
            format!(
                "a build takes up to {}: free some, or set CARGO_TARGET_DIR",
                size(ROOM_FOR_A_BUILD)
            ),
        ),
        Some(bytes) => Finding::ok(
            "disk",
            format!("{} free at {}", size(bytes), paths::shown(there)),
        ),
    }
}

/// Bytes available, from Linux' `/proc/meminfo`.
fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Bytes free, from `df -Pk`: the fourth column of the second line.
fn free_disk(df: &str) -> Option<u64> {
    let kibibytes: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn size(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_disk_are_read() {
        let meminfo = "MemTotal:       24610300 kB\nMemFree: 1 kB\nMemAvailable:   20971520 kB\n";
        assert_eq!(
            available_memory(meminfo).map(size).as_deref(),
            Some("20.0 GiB")
        );
        assert_eq!(available_memory("MemTotal: 1 kB"), None);
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/root 100 50 52428800 50% /\n";
        assert_eq!(free_disk(df), Some(50 << 30));
        assert_eq!(free_disk("df: no such file"), None);
    }
}
