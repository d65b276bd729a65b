//! `logkeep token`: what machines are known by.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::list::List;
use crate::client::{Client, Server, SignIn, Verb};

const COLUMNS: &[&str] = &["id", "name", "owner", "roles", "tenant", "created", "expires", "used"];

/// Arguments of `logkeep token`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a token, which is shown this once; a person has to sign in for it
    Create(Create),
    /// List tokens: one's own, or everybody's for who may see them
    List(List),
    /// End a token, from the next request on
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct Create {
    /// What people call it
    name: String,
    /// What it may do: `collector` to send, `analyst` to read; may be given more than once
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// Days until it ends, a year at most
    #[arg(long, default_value_t = 90, value_name = "N")]
    days: i64,
    /// With whose data, if not with those of whoever makes it
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// File to put it in, which nobody else can read, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    who: SignIn,
    #[command(flatten)]
    server: Server,
}

#[derive(clap::Args)]
struct Revoke {
    /// Its id: the part of the token between `lkt_` and the dot
    id: String,
    #[command(flatten)]
    who: SignIn,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Create(create) => create.run()?,
        Action::List(list) => list.run("tokens", COLUMNS)?,
        Action::Revoke(Revoke { id, who, server }) => {
            let id = id.trim_start_matches("lkt_").split('.').next().unwrap_or_default().to_owned();
            Client::signed_in(&server, &who, |client| client.act(Verb::Delete, &format!("/tokens/{id}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn run(&self) -> Result<()> {
        // Before the token is made: what cannot be kept must not exist.
        let mut file = self.output.as_ref().map(private_file).transpose()?;
        let mut wanted = json!({"name": self.name, "roles": self.roles, "days": self.days});
        if let Some(tenant) = &self.tenant {
            wanted["tenant"] = json!(tenant);
        }
        let made = Client::signed_in(&self.server, &self.who, |client| client.act(Verb::Post(&wanted), "/tokens"));
        if let (Err(_), Some(path)) = (&made, &self.output) {
            // It is empty.
            let _ = std::fs::remove_file(path);
        }
        let made = made?;
        let shown = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match &mut file {
            Some(file) => writeln!(file, "{}", shown("token")).and_then(|()| file.sync_all())?,
            None => writeln!(std::io::stdout().lock(), "{}", shown("token"))?,
        }
        writeln!(std::io::stderr().lock(), "token {} is good until {}", shown("id"), shown("expires"))?;
        Ok(())
    }
}

fn private_file(path: &PathBuf) -> Result<std::fs::File> {
    let file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("`{}`", path.display()))
}
