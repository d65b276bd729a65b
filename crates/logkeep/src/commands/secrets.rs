//! Secrets of the configuration, read from files of their own so that nothing prints them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use logkeep::config::{Forward, Oidc};
use logkeep_server::{ClientSecret, ForwardSecurity, OidcOptions, Secret};

/// Longer files are surely something else.
const FILE_BYTES: u64 = 1 << 20;

/// Who may send over Fluentd's Forward protocol; `None` is everyone.
pub(crate) fn forward(forward: &Forward) -> Result<Option<ForwardSecurity>> {
    let Some(key_file) = &forward.shared_key_file else { return Ok(None) };
    let key = read(key_file).context("forward.shared_key_file")?;
    let key = key.trim_ascii_end();
    if key.is_empty() {
        bail!("forward.shared_key_file: `{}` holds no key", key_file.display());
    }
    let mut users = Vec::new();
    if let Some(file) = &forward.users_file {
        for (number, line) in read(file).context("forward.users_file")?.lines().enumerate() {
            match line.split_once(':') {
                Some((name, password)) if !name.is_empty() => users.push((name.to_owned(), Secret::new(password))),
                _ if line.trim().is_empty() => {}
                _ => bail!("forward.users_file: `{}`:{}: write `user:password`", file.display(), number + 1),
            }
        }
        if users.is_empty() {
            bail!("forward.users_file: `{}` names no user", file.display());
        }
    }
    Ok(Some(ForwardSecurity { shared_key: Secret::new(key), users }))
}

/// The provider at which people sign in.
pub(crate) fn oidc(oidc: &Oidc) -> Result<OidcOptions> {
    let secret = |file: &PathBuf| {
        let text = read(file).context("oidc.client_secret_file")?;
        if text.trim().is_empty() {
            bail!("oidc.client_secret_file: `{}` holds no secret", file.display());
        }
        Ok(ClientSecret::new(text.trim()))
    };
    Ok(OidcOptions {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret_file.as_ref().map(secret).transpose()?,
        scopes: oidc.scopes.clone(),
        groups_claim: oidc.groups_claim.clone(),
        roles: oidc.roles.clone(),
        label: oidc.label.clone(),
        public_url: oidc.public_url.clone(),
    })
}

fn read(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("`{}`", path.display()))?.len();
    if size > FILE_BYTES {
        bail!("`{}` has {size} bytes; the limit is {FILE_BYTES}", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two files with these texts come to.
    fn check(key: &str, users: Option<&str>, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key"), key).unwrap();
        std::fs::write(path("users"), users.unwrap_or_default()).unwrap();
        let files = Forward { shared_key_file: Some(path("key")), users_file: users.map(|_| path("users")) };
        let shown = match forward(&files) {
            Ok(Some(security)) => format!("{:?}", security.users.iter().map(|(name, _)| name).collect::<Vec<_>>()),
            Ok(None) => "everyone".to_owned(),
            Err(error) => format!("{error:#}").replace(folder.path().to_str().unwrap(), ""),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn files() {
        check("key\n", None, "[]");
        check("key", Some("ann:a:b\n\nbob:\n"), r#"["ann", "bob"]"#);
        check(" \n", None, "forward.shared_key_file: `/key` holds no key");
        check("key", Some("\n"), "forward.users_file: `/users` names no user");
        check("key", Some("ann:x\nbob"), "forward.users_file: `/users`:2: write `user:password`");
        assert!(forward(&Forward { shared_key_file: None, users_file: None }).unwrap().is_none());
        let missing = Forward { shared_key_file: Some("/nowhere/key".into()), users_file: None };
        assert!(
            format!("{:#}", forward(&missing).unwrap_err()).starts_with("forward.shared_key_file: `/nowhere/key`: ")
        );
    }
}
