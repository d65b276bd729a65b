//! `logkeep backup`: a data folder, copied where a fire does not reach it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use logkeep_ingest::backup::{BackupSource, Place, backup};
use logkeep_server::OpenFolder;
use logkeep_store::{KeySource, SystemClock};

use super::folder::FolderArgs;
use super::place::StoreArgs;
use super::serve::runtime;

const ABOUT: &str = "\
Copies segments, write-ahead log, catalog and trees as they rest, encrypted. The server may go on meanwhile; what was \
acknowledged before the command began is in the backup. Further backups into the same place copy only what is new.

A bucket is reached with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL, as with the tools of AWS.

THE KEY FILE IS NOT IN IT. Keep a copy of it elsewhere: without it no backup can be read.";

/// Arguments of `logkeep backup`.
#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Args {
    /// Folder, or `s3://<bucket>/<prefix>`, that holds the backups of this data folder and of no other; a folder is made if
    /// it is missing
    #[arg(long, value_name = "PLACE")]
    to: String,
    /// Read what earlier backups left there as well, and copy anew what is no longer as it was written
    #[arg(long)]
    recheck: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    folder: FolderArgs,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let config = args.folder.load()?;
    let place = args.store.place(&args.to)?;
    if let Place::Folder(to) = &place {
        refuse_within(to, &config.data_dir)?;
    }
    let source = config.key_source();
    let started = std::time::Instant::now();
    let report = runtime()?.block_on(async {
        let folder = OpenFolder::existing(&config.data_dir, &source).await?;
        let folder_source = BackupSource {
            data_dir: folder.data_dir.clone(),
            catalog: folder.catalog.clone(),
            keys: folder.keys.clone(),
            clock: Arc::new(SystemClock::new()),
            recheck: args.recheck,
        };
        let report = backup(&folder_source, &place).await;
        folder.catalog.close().await;
        anyhow::Ok(report?)
    })?;
    let (manifest, seconds) = (&report.manifest, started.elapsed().as_secs_f64());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "backup {}: {} records in {} files, {} bytes, {} of them copied ({seconds:.1} s)",
        manifest.number, manifest.records, manifest.files, manifest.bytes, report.copied_bytes,
    )?;
    writeln!(out, "  {}", report.place)?;
    match source {
        KeySource::File(path) => writeln!(
            out,
            "the key file `{}` (id {}) is not in it: keep a copy elsewhere, without it the backup cannot be read",
            path.display(),
            manifest.key_id
        )?,
        KeySource::Service(_) => {
            writeln!(out, "only {source} opens it: as long as that key can be used, and no longer")?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A backup within what it is to replace goes when that goes.
fn refuse_within(to: &Path, data_dir: &Path) -> Result<()> {
    let absolute = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let (target, data) = (absolute(to).context("backup folder")?, absolute(data_dir).context("data folder")?);
    ensure!(!target.starts_with(&data), "`{}` is within the data folder; back up to another disk", to.display());
    Ok(())
}
