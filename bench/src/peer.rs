//! The peer, or a queue: a process of its driver, which fills it and then lets us ask.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::report;

/// A filled peer; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    /// How to reach it: what it said after `ready: `.
    pub(crate) ready: String,
}

impl Peer {
    /// Fills `data`, made anew, with the lines of `file`; figures go to `json` in the end.
    pub(crate) fn fill(python: &Path, driver: &Path, file: &Path, data: &PathBuf, json: &Path) -> anyhow::Result<Self> {
        if data.exists() {
            std::fs::remove_dir_all(data).with_context(|| data.display().to_string())?;
        }
        let mut command = Command::new(python);
        command.arg(driver).arg("--file").arg(file).arg("--data-dir").arg(data).arg("--json").arg(json);
        Self::start(command)
    }

    /// Starts a driver, which says `ready: ` and how to reach what it has filled, and ends with its input.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| command.get_program().display().to_string())?;
        let said = child.stdout.take().context("the driver's output")?;
        let mut peer = Self { child, ready: String::new() };
        for line in BufReader::new(said).lines() {
            let line = line?;
            if let Some(ready) = line.strip_prefix("ready: ") {
                ready.clone_into(&mut peer.ready);
                return Ok(peer);
            }
            report::line(&line)?;
        }
        bail!("the driver ended with {}", peer.child.wait()?)
    }

    /// Lets the driver write its figures and end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        drop::<Option<ChildStdin>>(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the driver ended with {status}");
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
