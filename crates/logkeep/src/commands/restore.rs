//! `logkeep restore`: a data folder made of a backup, proven before it can be used.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use logkeep::config::Config;
use logkeep_ingest::backup::{Staged, unpack};
use logkeep_server::OpenFolder;
use logkeep_store::SystemClock;

use super::serve::runtime;

const ABOUT: &str = "\
Every file is held against its digest, every record against the tree that was signed. The restored copy is a log of its \
own, with its own signing key, whose checkpoints name the log it was restored from: that one may have gone on. What was \
acknowledged after the backup is not in it.";

/// Arguments of `logkeep restore`.
#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Args {
    /// Folder of backups; the latest one that was completed is restored
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Data folder to make, instead of the configured one; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Key file of the data that were backed up, instead of the configured one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Configuration file, for the data folder and the key file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut config = Config::load(args.config.as_deref())?;
    if let Some(data_dir) = args.data_dir {
        config.data_dir = data_dir;
    }
    if args.key_file.is_some() {
        config.configured_key_file = args.key_file;
    }
    let started = std::time::Instant::now();
    let mut out = std::io::stdout().lock();
    let staged = unpack(&args.from, &config.data_dir)?;
    let manifest = staged.manifest().clone();
    writeln!(out, "backup {}: {} files are as they were backed up", manifest.number, manifest.files)?;
    out.flush()?;
    let installation = runtime()?.block_on(prove(&staged, &config))?;
    staged.publish()?;
    writeln!(
        out,
        "restored: {} records are exactly what was acknowledged until the backup ({:.1} s)",
        manifest.records,
        started.elapsed().as_secs_f64()
    )?;
    writeln!(
        out,
        "`{}` is a new log, logkeep/{installation}/…, that succeeds logkeep/{}/…; keep `{}` with it",
        config.data_dir.display(),
        manifest.installation,
        config.key_file().display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Computes everything anew from what was unpacked, and only then makes it a log of its own.
async fn prove(staged: &Staged, config: &Config) -> Result<String> {
    let folder = OpenFolder::existing(staged.folder(), &config.key_file()).await?;
    let report = logkeep_ingest::verify(&folder.verification(vec![])).await;
    let opened = match staged.prove(&folder.catalog, &report).await {
        Ok(()) => staged.open_new_log(&folder.catalog, &SystemClock::new()).await,
        Err(error) => Err(error),
    };
    folder.catalog.close().await;
    Ok(opened?)
}
