//! Kafka and NATS, which the server reads: filled before it starts, by a driver in Python that has the brokers, too.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use super::counts::Counts;
use super::{Taken, lines};
use crate::peer::Peer;
use crate::server::{Home, Server};
use crate::{Receivers, procfs};

pub(super) const KINDS: [&str; 2] = ["Kafka", "NATS"];

/// Fills a queue of this kind and lets a server read it to its end.
pub(super) fn measure(options: &Receivers, [python, driver]: [&Path; 2], kind: &'static str) -> anyhow::Result<Taken> {
    let folder = options.work.join("queue");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("lines.ndjson");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&file)?);
    let raw_bytes = lines(options).write(&mut out, options.lines, |_, _| ())?;
    out.flush()?;
    let mut command = Command::new(python);
    command.arg(driver).arg("--kind").arg(kind.to_lowercase()).arg("--file").arg(&file).arg("--folder").arg(&folder);
    let queue = Peer::start(command).context(kind)?;
    let settings = format!("sources: {}\n", queue.ready);
    let home = Home::with(&options.server, &options.work.join("receiver"), None, &settings)?;
    let taken = read(options, &home, kind, raw_bytes).context(kind)?;
    queue.stop()?;
    std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(taken)
}

fn read(options: &Receivers, home: &Home, kind: &'static str, raw_bytes: u64) -> anyhow::Result<Taken> {
    let mut started = Instant::now();
    let server = Server::start(home)?;
    let counts = Counts::new(&server.url, if kind == "Kafka" { "kafka" } else { "nats" });
    let mut before = procfs::cpu_seconds(server.pid())?;
    counts.wait(options.lines, |stored| {
        // To find the brokers and to join a group takes seconds, and is no work.
        if stored == 0 {
            (started, before) = (Instant::now(), procfs::cpu_seconds(server.pid())?);
        }
        Ok(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    counts.check(options.lines)?;
    Ok(Taken {
        name: format!("{kind}, as a source"),
        records_a_request: None,
        connections: None,
        records: options.lines,
        raw_bytes,
        sent_bytes: raw_bytes,
        seconds,
        cpu_seconds: server.stop()? - before,
    })
}
