//! What the kernel says of another process: CPU time, peak memory, and the bytes of a folder.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

/// Linux counts CPU time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds, user and system, of the process since it began.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    parse_stat(&text).with_context(|| format!("{path} is not as expected"))
}

/// CPU seconds of a child that has ended, or `None` while it runs. It must not have been waited for.
pub(crate) fn final_cpu_seconds(pid: u32) -> anyhow::Result<Option<f64>> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let (_, after) = text.rsplit_once(") ").with_context(|| format!("{path} is not as expected"))?;
    Ok(if after.starts_with('Z') { parse_stat(&text) } else { None })
}

/// The command name stands in parentheses and may hold anything, so count from behind it.
fn parse_stat(text: &str) -> Option<f64> {
    let (_, after) = text.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The most memory the process ever had, bytes.
pub(crate) fn peak_rss(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

/// The memory the process has now, bytes.
pub(crate) fn rss(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    parse_kilobytes(&text, name).with_context(|| format!("{path} has no {name}"))
}

/// What this was measured on.
pub(crate) fn machine() -> anyhow::Result<Value> {
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| path.to_owned());
    let (cpus, memory) = (read("/proc/cpuinfo")?, read("/proc/meminfo")?);
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(json!({
        "cpu": model.map(|(_, model)| model),
        "cores": std::thread::available_parallelism()?,
        "memory_bytes": parse_kilobytes(&memory, "MemTotal:"),
        "kernel": read("/proc/sys/kernel/osrelease")?.trim(),
    }))
}

fn parse_kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// Waits until the process does nearly nothing for two seconds, at most `limit`. Returns whether it came to rest.
pub(crate) fn settle(pid: u32, limit: Duration) -> anyhow::Result<bool> {
    let started = Instant::now();
    let (mut last, mut quiet) = (cpu_seconds(pid)?, 0);
    while started.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(500));
        let now = cpu_seconds(pid)?;
        quiet = if now - last <= 0.02 { quiet + 1 } else { 0 };
        if quiet == 4 {
            return Ok(true);
        }
        last = now;
    }
    Ok(false)
}

/// Space that a data folder holds free for a full disk: there is nothing in it.
const RESERVE: &str = "reserve";

/// Bytes of all files below `folder`, but for its reserve.
pub(crate) fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            // A file may be compacted away between the listing and the look.
            let Ok(kind) = entry.metadata() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != RESERVE {
                bytes += kind.len();
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_texts() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 10";
        assert_eq!(parse_stat(stat), Some(3.0));
        assert_eq!(parse_stat("7 (a"), None);
        assert_eq!(parse_kilobytes("Name:\tx\nVmHWM:\t    2048 kB\n", "VmHWM:"), Some(2_097_152));
        assert_eq!(parse_kilobytes("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn of_this_process() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(peak_rss(pid).unwrap() > 100_000);
        assert!(rss(pid).unwrap() > 100_000);
        assert!(machine().unwrap()["memory_bytes"].as_u64().unwrap() > 100_000);
    }

    #[test]
    fn folders_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("c"), [0; 5]).unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 15);
    }
}
