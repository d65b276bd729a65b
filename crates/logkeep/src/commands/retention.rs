//! `logkeep retention` and `logkeep hold`: for how long what a tenant has is kept, and what is held.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::list::List;
use super::user::done;
use crate::client::{Client, Server, SignIn, Verb};

/// Arguments of `logkeep retention`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the classes of a tenant that are not kept for ever
    List(OfTenant),
    /// Keep a class for so long: longer at once, shorter once another administrator has approved
    Set {
        /// The class
        #[arg(long, value_name = "NAME", default_value = "default")]
        class: String,
        /// Days since arrival
        #[arg(long, value_name = "NUMBER", required_unless_present = "forever", conflicts_with = "forever")]
        days: Option<u32>,
        /// For ever
        #[arg(long)]
        forever: bool,
        #[command(flatten)]
        by: ByTenant,
    },
}

/// Arguments of `logkeep hold`.
#[derive(clap::Args)]
pub(crate) struct HoldArgs {
    #[command(subcommand)]
    action: HoldAction,
}

#[derive(Subcommand)]
enum HoldAction {
    /// List the legal holds on a tenant
    List(OfTenant),
    /// Place one, and print by what it is named: nothing that it covers is destroyed
    Place {
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The class that it covers; all without it
        #[arg(long, value_name = "NAME")]
        class: Option<String>,
        #[command(flatten)]
        by: ByTenant,
    },
    /// Release one, once another administrator has approved
    Release {
        /// The hold
        id: String,
        #[command(flatten)]
        by: ByTenant,
    },
}

#[derive(clap::Args)]
struct OfTenant {
    /// The tenant
    #[arg(long, value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    list: List,
}

#[derive(clap::Args)]
struct ByTenant {
    /// The tenant
    #[arg(long, value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    who: SignIn,
    #[command(flatten)]
    server: Server,
}

impl OfTenant {
    fn run(&self, kind: &str, columns: &[&str]) -> Result<ExitCode> {
        self.list.run_below(&format!("/tenants/{}/{kind}", self.tenant), kind, columns).map(|()| ExitCode::SUCCESS)
    }
}

impl ByTenant {
    fn ask(&self, verb: Verb<'_>, below: &str) -> Result<Value> {
        let path = format!("/tenants/{}/{below}", self.tenant);
        Client::signed_in(&self.server, &self.who, |client| client.act(verb, &path))
    }
}

/// Runs `logkeep retention`.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Action::List(of) => of.run("retention", &["class", "days"]),
        Action::Set { class, days, forever: _, by } => {
            done(&by.ask(Verb::Put(&json!({"class": class, "days": days})), "retention")?)
        }
    }
}

/// Runs `logkeep hold`.
pub(crate) fn run_hold(args: HoldArgs) -> Result<ExitCode> {
    match args.action {
        HoldAction::List(of) => of.run("holds", &["id", "class", "reason", "by", "placed"]),
        HoldAction::Place { reason, class, by } => {
            let mut wanted = json!({"reason": reason});
            if let Some(class) = class {
                wanted["class"] = class.into();
            }
            let placed = by.ask(Verb::Post(&wanted), "holds")?;
            writeln!(io::stdout().lock(), "{}", placed["hold"].as_str().unwrap_or_default())?;
            Ok(ExitCode::SUCCESS)
        }
        HoldAction::Release { id, by } => done(&by.ask(Verb::Delete, &format!("holds/{id}"))?),
    }
}
