//! Listing what the server keeps of one kind: people, tokens, requests.

use anyhow::Result;

use crate::client::{Client, Server, SignIn, Verb};
use crate::output::{Format, rows};

/// Arguments of each `list`.
#[derive(clap::Args)]
pub(crate) struct List {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    who: SignIn,
    #[command(flatten)]
    server: Server,
}

impl List {
    /// Prints these columns of what lies under `/api/v1/<kind>`, where the API calls it by the same name.
    pub(crate) fn run(&self, kind: &str, columns: &[&str]) -> Result<()> {
        self.run_below(&format!("/{kind}"), kind, columns)
    }

    /// The same of what lies under another path.
    pub(crate) fn run_below(&self, path: &str, kind: &str, columns: &[&str]) -> Result<()> {
        let listed = Client::signed_in(&self.server, &self.who, |client| client.act(Verb::Get, path))?;
        Ok(rows(&listed[kind], columns, self.format)?)
    }
}
