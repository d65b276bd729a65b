//! What the server says it has done with the records of one protocol (`GET /metrics`).

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::ingest;

/// Nothing more is stored for so long: it never will be.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);
const PREFIX: &str = "logkeep_intake_records_";

/// Asks a server.
#[derive(Debug)]
pub(super) struct Counts {
    agent: ureq::Agent,
    url: String,
    protocol: &'static str,
}

impl Counts {
    pub(super) fn new(server: &str, protocol: &'static str) -> Self {
        Self { agent: ingest::agent(), url: format!("{server}/metrics"), protocol }
    }

    fn text(&self) -> anyhow::Result<String> {
        Ok(self.agent.get(&self.url).call().context("metrics")?.body_mut().read_to_string()?)
    }

    /// Records stored so far.
    pub(super) fn stored(&self) -> anyhow::Result<u64> {
        let text = self.text()?;
        let stored = read(&text, self.protocol).into_iter().find(|(name, _)| *name == "stored_total");
        stored.map(|(_, count)| count).with_context(|| format!("{} has no {PREFIX}stored_total", self.url))
    }

    /// Waits until at least so many are stored; `look` sees each count, also those before.
    pub(super) fn wait(&self, wanted: u64, mut look: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let stored = self.stored()?;
            look(stored)?;
            if stored >= wanted {
                return Ok(());
            }
            if stored > last {
                (last, since) = (stored, Instant::now());
            }
            ensure!(since.elapsed() < PATIENCE, "of {wanted} records {}", self.shown()?);
            std::thread::sleep(PAUSE);
        }
    }

    /// Fails unless exactly so many are stored.
    pub(super) fn check(&self, wanted: u64) -> anyhow::Result<()> {
        let stored = self.stored()?;
        ensure!(stored == wanted, "of {wanted} records {}", self.shown()?);
        Ok(())
    }

    fn shown(&self) -> anyhow::Result<String> {
        let counts: Vec<String> = read(&self.text()?, self.protocol)
            .into_iter()
            .map(|(name, count)| format!("{} {count}", name.trim_end_matches("_total")))
            .collect();
        Ok(counts.join(", "))
    }
}

/// The counts of records of one protocol, by what became of them.
fn read<'a>(text: &'a str, protocol: &str) -> Vec<(&'a str, u64)> {
    let label = format!("{{protocol=\"{protocol}\"}} ");
    let count = |line: &'a str| {
        let (name, count) = line.strip_prefix(PREFIX)?.split_once(label.as_str())?;
        Some((name, count.trim().parse().ok()?))
    };
    text.lines().filter_map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() {
        let text = "# TYPE logkeep_intake_records_stored_total counter\n\
            logkeep_intake_records_stored_total{protocol=\"gelf\"} 7\n\
            logkeep_intake_records_stored_total{protocol=\"otlp\"} 8\n\
            logkeep_intake_requests_total{protocol=\"gelf\"} 9\n\
            logkeep_intake_records_dropped_total{protocol=\"gelf\"} 1\n";
        assert_eq!(read(text, "gelf"), [("stored_total", 7), ("dropped_total", 1)]);
        assert_eq!(read(text, "relp"), []);
    }
}
