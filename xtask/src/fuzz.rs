//! Fuzzing that adds up: `cargo xtask fuzz`.
//!
//! A few seconds at every change find what a change broke, and hours find what nobody thought of. So each run goes on
//! from the corpus of the last one, leaves it minimised, and adds its CPU time to a file in the repository that says how
//! long each target has been fuzzed in all. Targets are built without a sanitizer, which any stable compiler can do.

mod cpu;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cpu::CpuSeconds;

const INSTALL: &str = "cargo-fuzz is not installed; run `cargo install --locked cargo-fuzz`";
const DEFAULT_SECONDS: u32 = 10;
/// What every target should have been fuzzed in all.
const GOAL_SECONDS: f64 = 3_600.0;
/// A single input that takes longer is a finding, as is more memory than this.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// What was asked for on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    seconds: u32,
    /// Look only: neither the corpus nor the count changes.
    check: bool,
    /// Empty: all of them.
    targets: Vec<String>,
}

impl Request {
    /// Reads `[--check] [--seconds N] [target…]`; the error says what does not fit.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut request = Self { seconds: DEFAULT_SECONDS, check: false, targets: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => {
                    let number = words.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                    request.seconds = number.ok_or("`--seconds` wants a whole number above 0")?;
                }
                "--check" => request.check = true,
                option if option.starts_with('-') => return Err(format!("there is no option `{option}`")),
                target => request.targets.push(target.to_owned()),
            }
        }
        Ok(request)
    }
}

/// The places below `fuzz/`.
struct Places {
    fuzz: PathBuf,
    /// Where the built targets are.
    binaries: PathBuf,
}

impl Places {
    fn corpus(&self, target: &str) -> PathBuf {
        self.fuzz.join("corpus").join(target)
    }

    fn findings(&self, target: &str) -> PathBuf {
        self.fuzz.join("artifacts").join(target)
    }

    fn targets(&self) -> io::Result<Vec<String>> {
        let files = fs::read_dir(self.fuzz.join("fuzz_targets"))?.collect::<io::Result<Vec<_>>>()?;
        let stem = |file: fs::DirEntry| Some(file.file_name().to_str()?.strip_suffix(".rs")?.to_owned());
        let mut targets: Vec<String> = files.into_iter().filter_map(stem).collect();
        targets.sort();
        Ok(targets)
    }
}

/// Fuzzes the targets asked for, one after the other; false if one of them found something.
pub(crate) fn run(root: &Path, request: &Request, out: &mut impl Write) -> io::Result<bool> {
    let fuzz = root.join("fuzz");
    let places = Places { binaries: fuzz.join("target").join(host()?).join("release"), fuzz };
    let known = places.targets()?;
    if let Some(unknown) = request.targets.iter().find(|target| !known.contains(target)) {
        writeln!(out, "error: there is no target `{unknown}`; there are {}", known.join(", "))?;
        return Ok(false);
    }
    if !build(&places.fuzz, out)? {
        return Ok(false);
    }
    let targets = if request.targets.is_empty() { &known } else { &request.targets };
    let mut clean = true;
    for target in targets {
        let passed = if request.check {
            check(&places, target, request.seconds, out)?
        } else {
            add(&places, target, request.seconds, out)?
        };
        if !passed {
            clean = false;
            let found = places.findings(target);
            writeln!(out, "error: `{target}` found something, see {} (the log beside it says what)", found.display())?;
        }
    }
    Ok(clean)
}

/// Fuzzes one target from its corpus and throws away what it learns; false if it found something.
fn check(places: &Places, target: &str, seconds: u32, out: &mut impl Write) -> io::Result<bool> {
    let scratch = places.findings(target).with_extension("scratch");
    fs::create_dir_all(&scratch)?;
    let passed = fuzz_one(places, target, seconds, &[&scratch, &places.corpus(target)])?;
    fs::remove_dir_all(&scratch)?;
    writeln!(out, "{target}: corpus of {}, {seconds} s more", files(&places.corpus(target))?.len())?;
    Ok(passed)
}

/// Fuzzes one target, keeps what reached new code and adds to its count; false if it found something.
fn add(places: &Places, target: &str, seconds: u32, out: &mut impl Write) -> io::Result<bool> {
    let counts = places.fuzz.join("cpu-seconds.json");
    let before = cpu::of_children()?;
    let passed = fuzz_one(places, target, seconds, &[&places.corpus(target)])?;
    // Read only now: another run may have added to it in the meantime.
    let mut sums = CpuSeconds::read(&counts)?;
    let sum = sums.add(target, cpu::of_children()? - before);
    sums.write(&counts)?;
    let kept = if passed { minimise(places, target)? } else { files(&places.corpus(target))?.len() };
    let share = 100.0 * sum / GOAL_SECONDS;
    writeln!(out, "{target}: corpus of {kept}, {sum:.0} CPU seconds in all ({share:.0} % of an hour)")?;
    Ok(passed)
}

/// The target triple that cargo-fuzz builds for.
fn host() -> io::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).arg("-vV").output()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| io::Error::other("`rustc -vV` names no host"))
}

fn build(fuzz: &Path, out: &mut impl Write) -> io::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut asked = Command::new(&cargo);
    asked.args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !asked.status()?.success() {
        writeln!(out, "error: {INSTALL}")?;
        return Ok(false);
    }
    let mut build = Command::new(&cargo);
    // Said here, or a target folder from the environment would take the targets elsewhere.
    build.args(["fuzz", "build", "--sanitizer", "none", "--target-dir", "target"]);
    Ok(build.current_dir(fuzz).status()?.success())
}

/// Runs one target from the inputs of `folders`, the first of which takes new ones; false if it found something.
fn fuzz_one(places: &Places, target: &str, seconds: u32, folders: &[&Path]) -> io::Result<bool> {
    let findings = places.findings(target);
    fs::create_dir_all(places.corpus(target))?;
    fs::create_dir_all(&findings)?;
    let log = fs::File::create(findings.with_extension("log"))?;
    let status = Command::new(places.binaries.join(target))
        .args(folders)
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .stdout(Stdio::null())
        .stderr(log)
        .status()?;
    Ok(status.success())
}

/// Leaves of the corpus what reaches all it reaches now, and every seed: those have names, what was found has a hash.
fn minimise(places: &Places, target: &str) -> io::Result<usize> {
    let (corpus, less) = (places.corpus(target), places.findings(target).with_extension("less"));
    if less.exists() {
        fs::remove_dir_all(&less)?;
    }
    fs::create_dir_all(&less)?;
    for seed in files(&corpus)?.into_iter().filter(|file| !is_found(file)) {
        fs::copy(&seed, less.join(seed.file_name().unwrap_or_default()))?;
    }
    let mut merge = Command::new(places.binaries.join(target));
    // By edges alone: with their counts it would be thousands of files, which a repository should not hold.
    merge
        .args(["-set_cover_merge=1", "-use_counters=0"])
        .args(LIMITS)
        .arg(&less)
        .arg(&corpus)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if merge.status()?.success() {
        for file in files(&corpus)? {
            fs::remove_file(file)?;
        }
        for file in files(&less)? {
            fs::copy(&file, corpus.join(file.file_name().unwrap_or_default()))?;
        }
    }
    fs::remove_dir_all(&less)?;
    Ok(files(&corpus)?.len())
}

/// Whether libFuzzer gave the file its name, a SHA-1.
fn is_found(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let request = |seconds, check, targets: &[&str]| {
            Ok(Request { seconds, check, targets: targets.iter().map(|target| (*target).to_owned()).collect() })
        };
        assert_eq!(Request::parse(&[]), request(10, false, &[]));
        assert_eq!(Request::parse(&["--seconds", "5", "json", "bulk"]), request(5, false, &["json", "bulk"]));
        assert_eq!(Request::parse(&["--check", "json"]), request(10, true, &["json"]));
        for words in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "x"], &["--minutes", "1"]] {
            assert!(Request::parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn seeds_are_told_from_finds() {
        assert!(is_found(Path::new("corpus/json/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567")));
        assert!(!is_found(Path::new("corpus/json/edge")));
        assert!(!is_found(Path::new("corpus/json/0a1b2c3d4e5f60718293a4b5c6d7e8f90123456g")));
    }
}
