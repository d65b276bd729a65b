//! `logkeep keys`: the key that wraps all others.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Subcommand;
use logkeep::config::Config;
use logkeep_server::Rotated;
use logkeep_store::KeySource;

use super::folder::FolderArgs;
use super::serve::runtime;
use super::user::done;
use crate::client::{Client, Server, SignIn, Verb};

/// Arguments of `logkeep keys`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a new key in the place of the current one, and wrap the keys of all data with it, also while the server runs
    Rotate(FolderArgs),
    /// Wrap the keys of all data with the key of another provider, while no server runs
    Move {
        /// Configuration that names the data folder and its provider until now
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Configuration that names the same data folder and the provider from now on
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Have the server destroy every key of what a tenant has, for good, once another administrator has approved
    Destroy {
        /// The tenant
        #[arg(long, value_name = "NAME")]
        tenant: String,
        #[command(flatten)]
        who: SignIn,
        #[command(flatten)]
        server: Server,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let out = &mut io::stdout();
    match args.action {
        Action::Destroy { tenant, who, server } => {
            let path = format!("/tenants/{tenant}/keys");
            return done(&Client::signed_in(&server, &who, |client| client.act(Verb::Delete, &path))?);
        }
        Action::Rotate(folder) => rotate(&folder.load()?, out)?,
        Action::Move { from, to } => transfer(&Config::load(Some(&from))?, &Config::load(Some(&to))?, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn rotate(config: &Config, out: &mut impl Write) -> Result<()> {
    let source = config.key_source();
    let rotated = runtime()?.block_on(logkeep_server::rotate_keys(&config.data_dir, &source))?;
    let how = if rotated.resumed { "a rotation that was cut short is complete" } else { "rotated" };
    let by = rotated.segments.map_or("by the server".into(), |segments| format!("{segments} segments wrapped anew"));
    writeln!(out, "{how}: everything is under the key {}, {by}", rotated.current)?;
    if let KeySource::File(path) = &source {
        writeln!(out, "`{}` is the new key file: keep a copy elsewhere", path.display())?;
    }
    for path in rotated.retired {
        writeln!(out, "`{}` is retired: only backups taken before need it, so keep it with them", path.display())?;
    }
    Ok(())
}

fn transfer(from: &Config, to: &Config, out: &mut impl Write) -> Result<()> {
    let same = from.data_dir == to.data_dir;
    ensure!(same, "the two configurations name different data folders: it is the keys that move, not the data");
    let (old, new) = (from.key_source(), to.key_source());
    ensure!(old != new, "both configurations have the key with the same provider: `keys rotate` makes a new one");
    let moved = runtime()?.block_on(logkeep_server::move_keys(&to.data_dir, &old, &new))?;
    let Rotated { current, segments, retired, .. } = moved;
    let segments = segments.unwrap_or_default();
    writeln!(out, "moved: everything is under the key {current}, {segments} segments wrapped anew")?;
    writeln!(out, "only backups taken before need the {old}, so keep it for them")?;
    for path in retired {
        writeln!(out, "  and `{}`", path.display())?;
    }
    Ok(())
}
