//! What to show the server, so that it knows who asks.
//!
//! Never an argument: whoever is on the machine can see those of every process.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ureq::http::{HeaderValue, Uri};

/// Holds a token.
const VARIABLE: &str = "LOGKEEP_TOKEN";
/// Longer files are surely something else.
const FILE_BYTES: u64 = 64 << 10;

/// Options of who asks.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Credentials {
    /// File with the token to show; the variable LOGKEEP_TOKEN can hold the token itself
    #[arg(long, env = "LOGKEEP_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl Credentials {
    /// What stands in `Authorization`, if anything does.
    ///
    /// # Errors
    /// The file cannot be used, or the token would cross the network in the clear.
    pub(crate) fn authorization(&self, server: &str) -> Result<Option<HeaderValue>> {
        let token = match &self.token_file {
            Some(file) => secret_line(file)?,
            None => match std::env::var(VARIABLE) {
                Ok(token) => token.trim().to_owned(),
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(std::env::VarError::NotUnicode(_)) => bail!("`{VARIABLE}` holds no token"),
            },
        };
        if token.is_empty() {
            return Ok(None);
        }
        refuse_in_the_clear(server)?;
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| anyhow::anyhow!("what should be a token has characters that none has"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Secrets leave the machine encrypted, or not at all.
pub(crate) fn refuse_in_the_clear(server: &str) -> Result<()> {
    let uri: Uri = server.parse().with_context(|| format!("`{server}` is no server address"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    if is_here || uri.scheme_str() == Some("https") {
        return Ok(());
    }
    bail!("whoever is on the way to `{server}` could read what it is shown; call it by https://")
}

/// The first line of a file that nobody else can read; `-` is standard input.
pub(crate) fn secret_line(file: &Path) -> Result<String> {
    let text = if file == Path::new("-") {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).context("standard input")?;
        line
    } else {
        let name = file.display();
        let metadata = std::fs::metadata(file).with_context(|| format!("`{name}`"))?;
        if metadata.len() > FILE_BYTES {
            bail!("`{name}` has {} bytes; a secret has fewer", metadata.len());
        }
        let mode = metadata.mode() & 0o777;
        if metadata.is_file() && mode & 0o007 != 0 {
            bail!("`{name}` is open to others (mode {mode:03o}); run `chmod 600 {name}`");
        }
        std::fs::read_to_string(file).with_context(|| format!("`{name}`"))?
    };
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_leave_the_machine_encrypted() {
        for server in ["http://127.0.0.1:7280", "http://localhost", "http://[::1]:1", "https://logs.example"] {
            assert!(refuse_in_the_clear(server).is_ok(), "{server}");
        }
        for server in
            ["http://logs.example", "http://10.0.0.1:7280", "http://127.0.0.1.example", "http://localhost.example"]
        {
            assert!(refuse_in_the_clear(server).is_err(), "{server}");
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let shown = |text: &str, mode: u32, server: &str| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let shown = Credentials { token_file: Some(file.clone()) }.authorization(server);
            shown.map_err(|error| format!("{error:#}").replace(folder.path().to_str().unwrap(), ""))
        };
        let here = "http://127.0.0.1:7280";
        let value = shown("lkt_1\nmore\n", 0o600, here).unwrap().unwrap();
        assert_eq!((value.to_str().unwrap(), value.is_sensitive()), ("Bearer lkt_1", true));
        assert_eq!(shown("\n", 0o600, here), Ok(None));
        let open = "`/token` is open to others (mode 604); run `chmod 600 /token`";
        assert_eq!(shown("lkt_1", 0o604, here), Err(open.to_owned()));
        let said = shown("lkt_\u{7f}1", 0o600, here).unwrap_err();
        assert_eq!(said, "what should be a token has characters that none has");
        assert!(shown("lkt_1", 0o600, "http://logs.example").unwrap_err().contains("https://"));
    }
}
