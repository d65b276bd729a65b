//! `logkeep approval`: what waits for a second person.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::user::done;
use crate::client::{Client, Server, SignIn, Verb};
use crate::output::{Format, rows};

const COLUMNS: &[&str] = &["id", "what", "requester", "expires", "hash"];

/// Arguments of `logkeep approval`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List what waits
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        who: SignIn,
        #[command(flatten)]
        server: Server,
    },
    /// Approve what somebody else has asked for, which is done then; a link for the person it is about is printed
    Approve(Decision),
    /// Refuse it
    Refuse(Decision),
}

#[derive(clap::Args)]
struct Decision {
    /// The request
    id: String,
    /// Its hash, as it was listed
    hash: String,
    #[command(flatten)]
    who: SignIn,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Action::List { format, who, server } => {
            let listed = Client::signed_in(&server, &who, |client| client.act(Verb::Get, "/approvals"))?;
            rows(&listed["approvals"], COLUMNS, format)?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Approve(decision) => decide(&decision, "approve"),
        Action::Refuse(decision) => decide(&decision, "refuse"),
    }
}

fn decide(Decision { id, hash, who, server }: &Decision, decision: &str) -> Result<ExitCode> {
    let wanted = json!({"hash": hash, "decision": decision});
    let path = format!("/approvals/{id}");
    let answer = Client::signed_in(server, who, |client| client.act(Verb::Post(&wanted), &path))?;
    done(&answer)
}
