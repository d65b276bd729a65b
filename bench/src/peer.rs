//! The peer: a process of its driver, which fills it and then lets us ask.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::report;

/// A filled peer; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    pub(crate) url: String,
}

impl Peer {
    /// Fills `data`, made anew, with the lines of `file`; figures go to `json` in the end.
    pub(crate) fn fill(python: &Path, driver: &Path, file: &Path, data: &PathBuf, json: &Path) -> anyhow::Result<Self> {
        if data.exists() {
            std::fs::remove_dir_all(data).with_context(|| data.display().to_string())?;
        }
        let mut command = Command::new(python);
        command.arg(driver).arg("--file").arg(file).arg("--data-dir").arg(data).arg("--json").arg(json);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| python.display().to_string())?;
        let said = child.stdout.take().context("the driver's output")?;
        let mut peer = Self { child, url: String::new() };
        for line in BufReader::new(said).lines() {
            let line = line?;
            if let Some(url) = line.strip_prefix("ready: ") {
                url.clone_into(&mut peer.url);
                return Ok(peer);
            }
            report::line(&line)?;
        }
        bail!("the peer's driver ended with {}", peer.child.wait()?)
    }

    /// Lets the driver write its figures and end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        drop::<Option<ChildStdin>>(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the peer's driver ended with {status}");
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
