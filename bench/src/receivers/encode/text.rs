//! Syslog over everything that carries it, and the journal's export format.

use std::fmt::Write as _;

use logkeep_demo::encode;
use logkeep_meshsim::{Event, render};

use super::line;
use crate::receivers::batch::Batch;

/// The number of RELP's first message: `open` has the one before.
const FIRST_MESSAGE: u64 = 2;

type Bytes = anyhow::Result<Vec<u8>>;

/// Messages after their lengths.
pub(in crate::receivers) fn syslog_frames(batch: &Batch) -> Bytes {
    Ok(encode::frames(&batch.events))
}

/// Messages without framing, as datagrams have them.
pub(in crate::receivers) fn syslog(batch: &Batch) -> Bytes {
    let mut out = String::with_capacity(1_100);
    batch.events.iter().for_each(|event| render::syslog(event, &mut out));
    Ok(out.into_bytes())
}

/// Frames of RELP.
pub(in crate::receivers) fn relp(batch: &Batch) -> Bytes {
    let (mut out, mut message) = (String::with_capacity(1_100), String::with_capacity(1_100));
    for (number, event) in batch.numbered() {
        message.clear();
        render::syslog(event, &mut message);
        writeln!(out, "{} syslog {} {message}", number + FIRST_MESSAGE, message.len())?;
    }
    Ok(out.into_bytes())
}

/// What a server of RELP answers to them.
pub(in crate::receivers) fn relp_acks(batch: &Batch) -> Vec<u8> {
    let answer = |number: &u64| format!("{} rsp 6 200 OK\n", number + FIRST_MESSAGE);
    batch.numbers.iter().map(answer).collect::<String>().into_bytes()
}

/// Entries of the journal, with the fields of a service's output.
pub(in crate::receivers) fn journal(batch: &Batch) -> Bytes {
    let mut out = Vec::with_capacity(batch.events.len() * 1_600);
    for (number, event) in batch.numbered() {
        let mut head = String::with_capacity(800);
        for (name, value) in journal_fields(number, event) {
            writeln!(head, "{name}={value}")?;
        }
        out.extend(head.into_bytes());
        // In this form a value may have line feeds.
        let line = line(event);
        out.extend(b"MESSAGE\n");
        out.extend((line.len() as u64).to_le_bytes());
        out.extend(line.into_bytes());
        out.extend(b"\n\n");
    }
    Ok(out)
}

fn journal_fields(number: u64, event: &Event) -> [(&'static str, String); 16] {
    const BOOT: &str = "5f1c2a7d9b344e0f8c6d1a2b3c4d5e6f";
    let service = &event.pod.service;
    [
        ("__CURSOR", format!("s=0a1b2c3d4e5f60718293a4b5c6d7e8f9;i={number:x};b={BOOT}")),
        ("__REALTIME_TIMESTAMP", (event.time_ns / 1_000).to_string()),
        ("__MONOTONIC_TIMESTAMP", (number * 1_000).to_string()),
        ("_BOOT_ID", BOOT.to_owned()),
        ("_MACHINE_ID", "7e6d5c4b3a29181706f5e4d3c2b1a090".to_owned()),
        ("_HOSTNAME", event.pod.node.clone()),
        ("_TRANSPORT", "stdout".to_owned()),
        ("_PID", "4242".to_owned()),
        ("_UID", "1000".to_owned()),
        ("_GID", "1000".to_owned()),
        ("_COMM", service.chars().take(15).collect()),
        ("_EXE", format!("/usr/bin/{service}")),
        ("_SYSTEMD_CGROUP", format!("/system.slice/{service}.service")),
        ("_SYSTEMD_UNIT", format!("{service}.service")),
        ("SYSLOG_IDENTIFIER", service.clone()),
        ("PRIORITY", event.level().syslog().to_string()),
    ]
}
