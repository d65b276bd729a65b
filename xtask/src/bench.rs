//! Builds what is measured, prepares the peer, and hands over to `logkeep-bench`, which knows the rest.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was asked for on the command line; all other words are for `logkeep-bench`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    growth: bool,
    work: Option<PathBuf>,
    /// A Python that has chdb.
    python: Option<PathBuf>,
    rest: Vec<String>,
}

impl Request {
    /// Reads `[growth] [--work FOLDER] [--python PATH] …`; the error says what does not fit.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let growth = words.first() == Some(&"growth");
        let mut request = Self { growth, work: None, python: None, rest: Vec::new() };
        let mut words = words[usize::from(growth)..].iter();
        while let Some(word) = words.next() {
            let mut path = || words.next().map(PathBuf::from).ok_or(format!("`{word}` wants a path"));
            match *word {
                "--work" => request.work = Some(path()?),
                "--python" if !growth => request.python = Some(path()?),
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
    bench.arg(if request.growth { "growth" } else { "run" });
    bench.arg("--work").arg(&work).arg("--server").arg(programs.join("logkeep"));
    if !request.growth {
        let Some(python) = python(root, request, &work)? else { return Ok(false) };
        bench.arg("--python").arg(python).arg("--driver").arg(root.join("bench/chdb_driver.py"));
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
        let request = |growth, work: Option<&str>, python: Option<&str>, rest: &[&str]| {
            let rest = rest.iter().map(|word| (*word).to_owned()).collect();
            Ok(Request { growth, work: work.map(PathBuf::from), python: python.map(PathBuf::from), rest })
        };
        assert_eq!(Request::parse(&[]), request(false, None, None, &[]));
        assert_eq!(
            Request::parse(&["--lines", "9", "--python", "p", "--work", "w"]),
            request(false, Some("w"), Some("p"), &["--lines", "9"])
        );
        assert_eq!(Request::parse(&["growth", "--millions", "2"]), request(true, None, None, &["--millions", "2"]));
        assert!(Request::parse(&["--work"]).is_err());
    }
}
