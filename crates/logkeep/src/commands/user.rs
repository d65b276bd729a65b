//! `logkeep user`: people, and what they may do.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::list::List;
use crate::client::{Client, Server, SignIn, Verb, secret_line};
use crate::failure::WAITS;

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
    List(List),
    /// Add somebody
    Add {
        /// The name to sign in with
        name: String,
        /// What they may do; may be given more than once
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// File with their first password; `-` reads it from standard input. Without one a link is printed, by which they choose it
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
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
        Action::List(list) => list.run("users", COLUMNS).map(|()| ExitCode::SUCCESS),
        Action::Add { name, roles, new_password_file, who, server } => {
            let password = new_password_file.as_deref().map(secret_line).transpose()?;
            let mut wanted = json!({"user": name, "roles": roles});
            if let Some(password) = password {
                wanted["password"] = json!(password);
            }
            let answer = Client::signed_in(&server, &who, |client| client.act(Verb::Post(&wanted), "/users"))?;
            done(&answer)
        }
        Action::Set { name, roles, disabled, who, server } => {
            let wanted = json!({"roles": roles, "disabled": disabled});
            let path = format!("/users/{name}");
            let answer = Client::signed_in(&server, &who, |client| client.act(Verb::Put(&wanted), &path))?;
            done(&answer)
        }
    }
}

/// Says what there is to say of what was done, or that it is not done yet.
pub(super) fn done(answer: &Value) -> Result<ExitCode> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(link) = answer.get("link") {
        writeln!(io::stdout().lock(), "{}", text(link))?;
    }
    if let Some(statement) = answer.get("statement") {
        write!(io::stdout().lock(), "{}", text(statement))?;
    }
    let Some(request) = answer.get("approval") else { return Ok(ExitCode::SUCCESS) };
    let [id, hash, expires] = ["id", "hash", "expires"].map(|name| text(&request[name]));
    writeln!(
        io::stderr().lock(),
        "not done yet: another administrator must approve it until {expires}\n  logkeep approval approve {id} {hash}"
    )?;
    Ok(ExitCode::from(WAITS))
}
