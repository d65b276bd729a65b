//! Builds what is measured, prepares the peer, and hands over to `logkeep-bench`, which knows the rest.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bench {
    /// Both stores.
    Run,
    /// One store as it fills.
    Growth,
    /// Every receiver.
    Receivers,
}

impl Bench {
    /// As `logkeep-bench` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Growth => "growth",
            Self::Receivers => "receivers",
        }
    }
}

/// What was asked for on the command line; all other words are for `logkeep-bench`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    bench: Bench,
    work: Option<PathBuf>,
    /// A Python that has the peer, or the clients of queues.
    python: Option<PathBuf>,
    rest: Vec<String>,
}

impl Request {
    /// Reads `[growth|receivers] [--work FOLDER] [--python PATH] …`; the error says what does not fit.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let named = [Bench::Growth, Bench::Receivers].into_iter().find(|bench| words.first() == Some(&bench.name()));
        let mut request = Self { bench: named.unwrap_or(Bench::Run), work: None, python: None, rest: Vec::new() };
        let mut words = words[usize::from(named.is_some())..].iter();
        while let Some(word) = words.next() {
            let mut path = || words.next().map(PathBuf::from).ok_or(format!("`{word}` wants a path"));
            match *word {
                "--work" => request.work = Some(path()?),
                "--python" if request.bench != Bench::Growth => request.python = Some(path()?),
                _ => request.rest.push((*word).to_owned()),
            }
        }
        Ok(request)
    }
}

/// Whether the run came to its end and every answer was right.
pub(crate) fn run(root: &Path, request: &Request) -> io::Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    if !succeeds(Command::new(cargo).args(["build", "--release", "--workspace"]).current_dir(root))? {
        return Ok(false);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let work = request.work.clone().unwrap_or_else(|| target.join("bench"));
    std::fs::create_dir_all(&work)?;
    let programs = target.join("release");
    let mut bench = Command::new(programs.join("logkeep-bench"));
    bench.arg(request.bench.name());
    bench.arg("--work").arg(&work).arg("--server").arg(programs.join("logkeep"));
    let driver = match request.bench {
        Bench::Run => {
            let Some(python) = python(root, request, &work)? else { return Ok(false) };
            Some((python, "bench/chdb_driver.py"))
        }
        Bench::Growth => None,
        Bench::Receivers => queue_python(root, request).map(|python| (python, "bench/queue_driver.py")),
    };
    if let Some((python, driver)) = driver {
        bench.arg("--python").arg(python).arg("--driver").arg(root.join(driver));
    }
    succeeds(bench.args(&request.rest))
}

/// The Python named, or one of a virtual environment in the work folder with the peer as it is pinned.
fn python(root: &Path, request: &Request, work: &Path) -> io::Result<Option<OsString>> {
    if let Some(python) = &request.python {
        return Ok(Some(python.into()));
    }
    let (wanted, venv) = (root.join("bench/requirements.txt"), work.join("venv"));
    let (python, installed) = (venv.join("bin/python"), venv.join("installed"));
    if std::fs::read(&wanted)? == std::fs::read(&installed).unwrap_or_default() {
        return Ok(Some(python.into()));
    }
    let mut make = Command::new("python3");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]).arg(&wanted);
    if !succeeds(make.args(["-m", "venv", "--clear"]).arg(&venv))? || !succeeds(&mut install)? {
        return Ok(None);
    }
    std::fs::copy(&wanted, &installed)?;
    Ok(Some(python.into()))
}

/// The Python named, or that of the end-to-end tests if they have made one (`e2e/run.sh`).
fn queue_python(root: &Path, request: &Request) -> Option<OsString> {
    let tests = root.join("e2e/.venv/bin/python");
    request.python.clone().or_else(|| tests.exists().then_some(tests)).map(OsString::from)
}

fn succeeds(command: &mut Command) -> io::Result<bool> {
    match command.status() {
        Ok(status) => Ok(status.success()),
        Err(cause) => Err(io::Error::new(cause.kind(), format!("{}: {cause}", command.get_program().display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let request = |bench, work: Option<&str>, python: Option<&str>, rest: &[&str]| {
            let rest = rest.iter().map(|word| (*word).to_owned()).collect();
            Ok(Request { bench, work: work.map(PathBuf::from), python: python.map(PathBuf::from), rest })
        };
        assert_eq!(Request::parse(&[]), request(Bench::Run, None, None, &[]));
        assert_eq!(
            Request::parse(&["--lines", "9", "--python", "p", "--work", "w"]),
            request(Bench::Run, Some("w"), Some("p"), &["--lines", "9"])
        );
        assert_eq!(
            Request::parse(&["growth", "--millions", "2"]),
            request(Bench::Growth, None, None, &["--millions", "2"])
        );
        assert_eq!(
            Request::parse(&["receivers", "--python", "p", "--lines", "9"]),
            request(Bench::Receivers, None, Some("p"), &["--lines", "9"])
        );
        assert!(Request::parse(&["--work"]).is_err());
    }
}
