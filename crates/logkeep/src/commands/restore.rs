//! `logkeep restore`: a data folder made of a backup, proven before it can be used.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use logkeep::config::Config;
use logkeep_ingest::backup::{Staged, unpack};
use logkeep_server::OpenFolder;
use logkeep_store::SystemClock;

use super::folder::FolderArgs;
use super::place::StoreArgs;
use super::serve::runtime;

const ABOUT: &str = "\
Every file is held against its digest, every record against the tree that was signed. The restored copy is a log of its \
own, with its own signing key, whose checkpoints name the log it was restored from: that one may have gone on. What was \
acknowledged after the backup is not in it.

The data folder must be empty or not there. The key file is that of the data that were backed up.";

/// Arguments of `logkeep restore`.
#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Args {
    /// Folder of backups, or `s3://<bucket>/<prefix>`; the latest one that was completed is restored
    #[arg(long, value_name = "PLACE")]
    from: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    folder: FolderArgs,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let config = args.folder.load()?;
    let started = std::time::Instant::now();
    let mut out = std::io::stdout().lock();
    let (runtime, place) = (runtime()?, args.store.place(&args.from)?);
    let staged = runtime.block_on(unpack(&place, &config.data_dir))?;
    let manifest = staged.manifest().clone();
    writeln!(out, "backup {}: {} files are as they were backed up", manifest.number, manifest.files)?;
    out.flush()?;
    let installation = runtime.block_on(prove(&staged, &config))?;
    staged.publish()?;
    writeln!(
        out,
        "restored: {} records are exactly what was acknowledged until the backup ({:.1} s)",
        manifest.records,
        started.elapsed().as_secs_f64()
    )?;
    writeln!(
        out,
        "`{}` is a new log, logkeep/{installation}/…, that succeeds logkeep/{}/…; keep with it: {}",
        config.data_dir.display(),
        manifest.installation,
        config.key_source()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Computes everything anew from what was unpacked, and only then makes it a log of its own.
async fn prove(staged: &Staged, config: &Config) -> Result<String> {
    let folder = OpenFolder::existing(staged.folder(), &config.key_source()).await?;
    let report = logkeep_ingest::verify(&folder.verification(vec![])).await;
    let opened = match staged.prove(&folder.catalog, &report).await {
        Ok(()) => staged.open_new_log(&folder.catalog, &SystemClock::new()).await,
        Err(error) => Err(error),
    };
    folder.catalog.close().await;
    Ok(opened?)
}
