//! How long each target has been fuzzed, in seconds of CPU: a busy machine does less in an hour of the clock.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Clock ticks a second in `/proc`: `USER_HZ`, fixed at 100 on the architectures we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of all children that have been waited for.
pub(super) fn of_children() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Fields 16 and 17 (proc(5)): `cutime`, `cstime`. The second field, a name in parentheses, may hold spaces.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> =
        after_name.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    match ticks.as_slice() {
        [user, system] => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err(io::Error::other("/proc/self/stat has no times of children")),
    }
}

/// The sums so far, by target; a flat JSON object of numbers, one a line.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CpuSeconds(BTreeMap<String, f64>);

impl CpuSeconds {
    /// Reads the file; none is an empty one.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).ok_or_else(|| {
                io::Error::other(format!("{}: not an object with one target and number a line", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        let lines = inner.lines().map(str::trim).filter(|line| !line.is_empty());
        let pair = |line: &str| {
            let (name, seconds) = line.trim_end_matches(',').split_once(':')?;
            let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
            Some((name.to_owned(), seconds.trim().parse().ok()?))
        };
        lines.map(pair).collect::<Option<_>>().map(Self)
    }

    /// Adds to a target's sum and gives it.
    pub(super) fn add(&mut self, target: &str, seconds: f64) -> f64 {
        let sum = self.0.entry(target.to_owned()).or_default();
        *sum += seconds;
        *sum
    }

    /// Writes the file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.text())
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(|(name, seconds)| format!("  \"{name}\": {seconds:.1}")).collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back() {
        let mut sums = CpuSeconds::default();
        sums.add("json", 1.0);
        assert_eq!(sums.add("json", 2.5), 3.5);
        sums.add("bulk", 0.04);
        assert_eq!(sums.text(), "{\n  \"bulk\": 0.0,\n  \"json\": 3.5\n}\n");
        assert_eq!(CpuSeconds::parse(&sums.text()).unwrap().0["json"], 3.5);
        assert_eq!(CpuSeconds::parse("{\n\n}\n"), Some(CpuSeconds::default()));
        for text in ["", "{", "{\"a\": x}", "{a: 1}", "[1]"] {
            assert_eq!(CpuSeconds::parse(text), None, "{text}");
        }
    }

    #[test]
    fn children_take_time() {
        assert!(of_children().unwrap() >= 0.0);
    }
}
