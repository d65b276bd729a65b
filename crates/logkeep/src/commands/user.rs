//! `logkeep user`: people, and what they may do.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::client::{Client, Server, SignIn, Verb, secret_line};
use crate::output::{Format, rows};

const COLUMNS: &[&str] = &["user", "roles", "disabled", "created"];

/// Arguments of `logkeep user`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List people
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        #[command(flatten)]
        who: SignIn,
        #[command(flatten)]
        server: Server,
    },
    /// Add somebody
    Add {
        /// The name to sign in with
        name: String,
        /// What they may do; may be given more than once
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// File with their first password; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        new_password_file: PathBuf,
        #[command(flatten)]
        who: SignIn,
        #[command(flatten)]
        server: Server,
    },
    /// Change what somebody may do: to these roles and no others
    Set {
        /// The name
        name: String,
        /// What they may do from now on; may be given more than once
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Let them in no more
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        who: SignIn,
        #[command(flatten)]
        server: Server,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Action::List { format, who, server } => {
            let listed = Client::signed_in(&server, &who, |client| client.act(Verb::Get, "/users"))?;
            rows(&listed["users"], COLUMNS, format)?;
        }
        Action::Add { name, roles, new_password_file, who, server } => {
            let password = secret_line(&new_password_file)?;
            let wanted = json!({"user": name, "password": password, "roles": roles});
            Client::signed_in(&server, &who, |client| client.act(Verb::Post(&wanted), "/users"))?;
        }
        Action::Set { name, roles, disabled, who, server } => {
            let wanted = json!({"roles": roles, "disabled": disabled});
            Client::signed_in(&server, &who, |client| client.act(Verb::Put(&wanted), &format!("/users/{name}")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
