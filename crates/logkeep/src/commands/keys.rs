//! `logkeep keys`: the key that wraps all others.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::folder::FolderArgs;
use super::serve::runtime;

/// Arguments of `logkeep keys`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new key in the place of the key file's, and wrap the keys of all data with it, also while the server runs
    Rotate(FolderArgs),
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let Action::Rotate(folder) = args.action;
    let config = folder.load()?;
    let key_file = config.key_file();
    let rotated = runtime()?.block_on(logkeep_server::rotate_keys(&config.data_dir, &key_file))?;
    let mut out = std::io::stdout().lock();
    let how = if rotated.resumed { "a rotation that was cut short is complete" } else { "rotated" };
    let by = rotated.segments.map_or("by the server".into(), |segments| format!("{segments} segments wrapped anew"));
    writeln!(out, "{how}: everything is under the key {}, {by}", rotated.current)?;
    writeln!(out, "`{}` is the new key file: keep a copy elsewhere", key_file.display())?;
    for retired in rotated.retired {
        writeln!(out, "`{}` is retired: only backups taken before need it, so keep it with them", retired.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
