//! Facts about the machine and what this process has used of it.

use std::fs;
use std::thread;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::record::Machine;

/// The machine that this process runs on. What cannot be found out is `unknown` or 0.
pub(crate) fn machine() -> Machine {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Machine {
        cpu: field(&cpu, "model name").unwrap_or("unknown").to_owned(),
        cores: thread::available_parallelism()
            .map_or(0, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
        memory: field(&memory, "MemTotal").and_then(kilobytes).unwrap_or(0),
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .into_iter()
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// Bytes in a text like `16384 kB`.
fn kilobytes(text: &str) -> Option<u64> {
    Some(text.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// What this process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds of processor time, all threads.
    pub(crate) cpu_seconds: f64,
    /// Largest resident set in bytes.
    pub(crate) peak_memory: u64,
}

impl Usage {
    /// Until now; zeros where the operating system does not say.
    pub(crate) fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
            return Self::default();
        };
        let microseconds =
            usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        // Linux counts kilobytes, macOS bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Self {
            cpu_seconds: microseconds as f64 / 1e6,
            peak_memory: usage.max_rss().max(0).cast_unsigned() * unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 9V74\nmodel name\t: other\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC 9V74"));
        assert_eq!(
            field("MemTotal:       24588244 kB\n", "MemTotal").and_then(kilobytes),
            Some(25_178_361_856)
        );
        assert_eq!(field(text, "vendor"), None);
    }

    #[test]
    fn usage_grows() {
        let before = Usage::now();
        let block = std::hint::black_box(vec![1_u8; 1 << 20]);
        assert!(before.peak_memory > block.len() as u64);
        assert!(Usage::now().cpu_seconds >= before.cpu_seconds);
    }
}
