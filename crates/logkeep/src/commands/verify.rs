//! `logkeep verify`: whether a data folder holds exactly what was acknowledged, or a proof of one record holds.

mod proof;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use logkeep_ingest::{DestroyedBy, DestroyedReport};

use super::folder::FolderArgs;
use super::serve::runtime;

/// Arguments of `logkeep verify`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    folder: FolderArgs,
    /// A checkpoint that was kept elsewhere: whether what it commits to is still there. May be given several times
    #[arg(long, value_name = "CHECKPOINT")]
    since: Vec<PathBuf>,
    /// Verify a downloaded proof of one record instead, without a data folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "data_dir", "key_file", "since"])]
    proof: Option<PathBuf>,
    /// The public key that must have signed the proof, one line, known from elsewhere than the proof
    #[arg(long, value_name = "VKEY", requires = "proof")]
    key: Option<String>,
}

fn time(ns: i64) -> String {
    Timestamp::from_nanosecond(ns.into()).map_or_else(|_| ns.to_string(), |time| format!("{time:.0}"))
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if let Some(file) = &args.proof {
        return proof::run(file, args.key.as_deref());
    }
    let config = args.folder.load()?;
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("checkpoint `{}`", path.display()));
    let since = args.since.iter().map(read).collect::<Result<Vec<_>>>()?;
    let started = std::time::Instant::now();
    let report = runtime()?.block_on(async {
        let verification = logkeep_server::verification(&config.data_dir, &config.key_source(), since).await?;
        anyhow::Ok(logkeep_ingest::verify(&verification).await)
    })?;
    let mut out = std::io::stdout().lock();
    for class in &report.classes {
        writeln!(
            out,
            "{}/{}: {} records in {} batches, {} segments; root {}",
            class.tenant, class.class, class.records, class.batches, class.segments, class.root
        )?;
        if let Some(DestroyedReport { batches, records, by }) = &class.destroyed {
            writeln!(out, "  destroyed: {records} records in {batches} batches, {}", why(by))?;
        }
    }
    for tenant in &report.to_destroy {
        writeln!(out, "{tenant}: is to be destroyed, and not all of it is yet: a server goes on with it")?;
    }
    let records: u64 = report.classes.iter().map(|class| class.records).sum();
    if report.findings.is_empty() {
        writeln!(
            out,
            "verified: {records} records are exactly what was acknowledged ({:.1} s)",
            started.elapsed().as_secs_f64()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    for finding in &report.findings {
        let batch = finding.batch.map(|batch| format!(", batch {batch}")).unwrap_or_default();
        writeln!(out, "DAMAGED {}{batch}: {}", finding.object, finding.what)?;
    }
    writeln!(out, "not verified: {} findings; keep the folder as it is", report.findings.len())?;
    Ok(ExitCode::FAILURE)
}

fn why(by: &DestroyedBy) -> String {
    match by {
        DestroyedBy::Order(by) => {
            format!("as {} asked for and {} approved at {}", by.requester, by.approver, time(by.approved_ns))
        }
        DestroyedBy::Retention(days) => format!("which were kept for {days} days, as two people have ordered"),
    }
}
