//! `logkeep approval`: what waits for a second person.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::list::List;
use super::user::done;
use crate::client::{Client, Server, SignIn, Verb};

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
    List(List),
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
        Action::List(list) => list.run("approvals", COLUMNS).map(|()| ExitCode::SUCCESS),
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
