//! Calls about people and tokens, for which somebody may have to sign in.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use ureq::http::header::SET_COOKIE;

use super::credentials::{refuse_in_the_clear, secret_line};
use super::{COOKIE, Client, ERROR_BYTES, HeaderValue, Server};

/// Who signs in for a command, if anybody does.
#[derive(clap::Args, Debug)]
pub(crate) struct SignIn {
    /// Sign in as this user for the command, instead of showing a token
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// File with the password of `--user`; `-` reads it from standard input
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

/// What to do with a resource.
pub(crate) enum Verb<'v> {
    Get,
    Delete,
    Post(&'v Value),
    Put(&'v Value),
}

impl Client {
    /// Does something as whoever signs in for it, or else as whoever the token says, and signs out again.
    pub(crate) fn signed_in<T>(server: &Server, who: &SignIn, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let mut client = Self::new(server)?;
        let (Some(user), Some(file)) = (&who.user, &who.password_file) else { return work(&client) };
        refuse_in_the_clear(&server.url)?;
        let password = secret_line(file)?;
        client.shown = None;
        let body = json!({"user": user, "password": password});
        let request = client.agent.post(format!("{}/session", client.base));
        let response = client.accepted(request.send_json(&body), "")?;
        let cookie = response.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let Some(cookie) = cookie else { bail!("the answer of {} begins no session", client.base) };
        let mut cookie = HeaderValue::from_str(cookie).context("the cookie of the session")?;
        cookie.set_sensitive(true);
        client.shown = Some((COOKIE, cookie));
        let done = work(&client);
        // It ends by itself if this fails.
        let _ = client.act(Verb::Delete, "/session");
        done
    }

    /// Does something, and gives the answer.
    pub(crate) fn act(&self, verb: Verb<'_>, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.base);
        let result = match verb {
            Verb::Get => self.showing(self.agent.get(url)).call(),
            Verb::Delete => self.showing(self.agent.delete(url)).call(),
            Verb::Post(body) => self.showing(self.agent.post(url)).send_json(body),
            Verb::Put(body) => self.showing(self.agent.put(url)).send_json(body),
        };
        let mut response = self.accepted(result, "")?;
        let text = response.body_mut().with_config().limit(ERROR_BYTES * 16).read_to_string();
        let text = text.map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text)
            .with_context(|| format!("the answer of {} is not in the form Logkeep uses", self.base))
    }
}
