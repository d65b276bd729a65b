//! A Logkeep server of our own, with its data in a folder of its own, and the end of it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::procfs;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where a server's program, data, key and output are.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    binary: PathBuf,
    folder: PathBuf,
}

impl Home {
    /// Makes `folder` anew; what was in it is gone.
    pub(crate) fn make(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::with(binary, folder, None, "")
    }

    /// The same with one receiver (its key below `listen`, and its value), and with more settings.
    pub(crate) fn with(
        binary: &Path,
        folder: &Path,
        receiver: Option<(&str, &str)>,
        settings: &str,
    ) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        // Names in the configuration are those seen from the server, wherever it is started.
        let home = Self {
            binary: binary.canonicalize().with_context(|| binary.display().to_string())?,
            folder: folder.canonicalize()?,
        };
        let value = |name: &str| receiver.filter(|(key, _)| *key == name).map_or("\"off\"", |(_, value)| value);
        let listen: String =
            receivers(&home.binary)?.iter().map(|name| format!("  {name}: {}\n", value(name))).collect();
        let text = format!(
            "data_dir: {:?}\nkey_file: {:?}\naccess:\n  loopback: open\nlisten:\n  main: \"127.0.0.1:0\"\n{listen}{settings}",
            home.data(),
            home.folder.join("key")
        );
        std::fs::write(home.folder.join("logkeep.yaml"), text)?;
        Ok(home)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}{}", read("stdout"), read("stderr"))
    }
}

/// The keys of all ports beside the main one, as the program itself lists them.
fn receivers(binary: &Path) -> anyhow::Result<Vec<String>> {
    let printed = Command::new(binary).args(["config", "print"]).output()?;
    ensure!(printed.status.success(), "`logkeep config print`: {}", String::from_utf8_lossy(&printed.stderr));
    let listed = String::from_utf8(printed.stdout)?;
    let below = listed.lines().skip_while(|line| *line != "listen:").skip(1).take_while(|line| line.starts_with(' '));
    let keys = below.filter_map(|line| line.trim().split_once(": ")).map(|(key, _)| key.to_owned());
    Ok(keys.filter(|key| !key.starts_with('#') && key != "main").collect())
}

/// A server that runs; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    home: Home,
    pub(crate) url: String,
    /// From the start of the process until `/readyz` said yes.
    pub(crate) ready: Duration,
}

impl Server {
    pub(crate) fn start(home: &Home) -> anyhow::Result<Self> {
        let [out, err] = ["stdout", "stderr"].map(|name| File::create(home.folder.join(name)));
        let started = Instant::now();
        let mut command = Command::new(&home.binary);
        command.arg("serve").arg("--config").arg(home.folder.join("logkeep.yaml")).stdout(out?).stderr(err?);
        let child = command.spawn().with_context(|| home.binary.display().to_string())?;
        let mut server = Self { child, home: home.clone(), url: String::new(), ready: Duration::ZERO };
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        while !server.is_ready(&agent) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}: {}", home.said());
            }
            ensure!(started.elapsed() < PATIENCE, "the server is not ready: {}", home.said());
            std::thread::sleep(Duration::from_millis(2));
        }
        server.ready = started.elapsed();
        Ok(server)
    }

    fn is_ready(&mut self, agent: &ureq::Agent) -> bool {
        let said = std::fs::read_to_string(self.home.folder.join("stdout")).unwrap_or_default();
        // Only a whole line has the whole address.
        let Some(url) = said.split_once("ready: ").and_then(|(_, rest)| rest.split_once('\n')) else { return false };
        url.0.trim().clone_into(&mut self.url);
        agent.get(format!("{}/readyz", self.url)).call().is_ok_and(|answer| answer.status() == 200)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the receiver listens, by its name as the server lists it (`syslog-tcp`).
    pub(crate) fn receiver(&self, name: &str) -> anyhow::Result<SocketAddr> {
        let url = format!("{}/api/v1/status", self.url);
        let status: Value = ureq::get(&url).call().context("status")?.body_mut().read_json()?;
        let listed = status["receivers"].as_array().into_iter().flatten();
        let address = listed.filter(|one| one["protocol"] == name).find_map(|one| one["address"].as_str());
        let address = address.with_context(|| format!("`{name}` does not listen: {}", self.home.said()))?;
        address.parse().with_context(|| address.to_owned())
    }

    /// Asks it to end and waits until it has. CPU seconds of its whole life: what it does at its end is in them.
    pub(crate) fn stop(mut self) -> anyhow::Result<f64> {
        let asked = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().context("kill")?;
        ensure!(asked.success(), "the server could not be asked to end");
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(cpu_seconds) = procfs::final_cpu_seconds(self.pid())? {
                let status = self.child.wait()?;
                ensure!(status.success(), "the server ended with {status}: {}", self.home.said());
                return Ok(cpu_seconds);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the server does not end: {}", self.home.said())
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` and `kill` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
