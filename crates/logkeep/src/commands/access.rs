//! `logkeep access`: who may do what, and why.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::{Client, Server};
use crate::commands::query::unexpected;

/// Arguments of `logkeep access`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say whether somebody may do something, and which policies decide
    Explain(Explain),
}

#[derive(clap::Args)]
struct Explain {
    /// Who: the name of a user, or `token:ID`
    user: String,
    /// What: an action of the policies, such as `query` or `unmask`
    action: String,
    /// With which field; `unmask` needs one
    #[arg(long, default_value = "", value_name = "NAME")]
    field: String,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Explanation {
    allowed: bool,
    policies: Map<String, Value>,
    errors: Vec<String>,
    roles: Vec<String>,
    scopes: Vec<Map<String, Value>>,
    masked: Vec<String>,
    unmasked: Vec<String>,
}

/// Runs the command. Its exit code is 1 if they may not.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Explain(args) => explain(&args),
    }
}

fn explain(args: &Explain) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let parameters = [("user", args.user.as_str()), ("action", &args.action), ("field", &args.field)];
    let answer = client.get("/access/explain", &parameters, "")?;
    let found: Explanation = serde_json::from_str(&answer).map_err(|_| unexpected(&args.server.url))?;
    let mut out = stdout().lock();
    let may = if found.allowed { "may" } else { "may not" };
    writeln!(out, "{} {may} `{}` {}", args.user, args.action, args.field)?;
    for (name, text) in &found.policies {
        writeln!(out, "  by {name}: {}", one_line(text.as_str().unwrap_or_default()))?;
    }
    if found.policies.is_empty() {
        writeln!(out, "  no policy permits it")?;
    }
    found.errors.iter().try_for_each(|error| writeln!(out, "  a policy cannot be evaluated: {error}"))?;
    let scopes: Vec<String> = found.scopes.iter().map(scope).collect();
    for (what, text) in [
        ("roles", found.roles.join(" ")),
        ("scope", scopes.join(" and ")),
        ("masked", found.masked.join(" ")),
        ("unmasked", found.unmasked.join(" ")),
    ] {
        if !text.is_empty() {
            writeln!(out, "{what}: {text}")?;
        }
    }
    Ok(if found.allowed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A policy as Cedar writes it, over several lines.
fn one_line(policy: &str) -> String {
    policy.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn scope(lists: &Map<String, Value>) -> String {
    let list = |(name, names): (&String, &Value)| {
        let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        format!("{name}: {}", names.join(", "))
    };
    lists.iter().map(list).collect::<Vec<_>>().join("; ")
}
