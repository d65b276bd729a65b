//! Whom to believe to be the server, and what to show it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Longer files are surely something else.
const FILE_BYTES: u64 = 1 << 20;

/// Options of a connection by `https://`.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Trust {
    /// Authorities that the certificate of an `https://` server may be of (PEM), instead of this machine's
    #[arg(long, env = "LOGKEEP_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Certificate to show to the server (PEM)
    #[arg(long, env = "LOGKEEP_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, env = "LOGKEEP_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
}

impl Trust {
    /// What this comes to. Certificates are always verified.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>> {
        let authorities = match &self.ca {
            Some(file) => certificates(file)?,
            None => system()?,
        };
        let mut roots = RootCertStore::empty();
        let (known, _) = roots.add_parsable_certificates(authorities);
        if let (0, Some(file)) = (known, &self.ca) {
            bail!("`{}` holds no certificate of an authority", file.display());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_root_certificates(roots);
        let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) else {
            return Ok(Arc::new(builder.with_no_client_auth()));
        };
        // What is wrong with a line is not shown: it may be of the key.
        let Ok(read) = PrivateKeyDer::from_pem_slice(&read(key)?) else {
            bail!("`{}` holds no private key in PEM, or one with a password", key.display());
        };
        let shown = builder.with_client_auth_cert(certificates(certificate)?, read);
        let shown = shown.with_context(|| format!("`{}` and `{}`", certificate.display(), key.display()))?;
        Ok(Arc::new(shown))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found =
        found.ok().with_context(|| format!("`{}` holds a certificate that is cut or no base64", file.display()))?;
    if found.is_empty() {
        bail!("`{}` holds no certificate in PEM", file.display());
    }
    Ok(found)
}

/// The authorities this machine trusts.
fn system() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        bail!("this machine trusts no authority; name one with `--ca FILE`");
    }
    Ok(found.certs)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(file).with_context(|| format!("`{}`", file.display()))?.len();
    if size > FILE_BYTES {
        bail!("`{}` has {size} bytes; the limit is {FILE_BYTES}", file.display());
    }
    std::fs::read(file).with_context(|| format!("`{}`", file.display()))
}

/// Whether a failure is about who the other end is.
pub(crate) fn is_distrust(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn check(content: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        let said = |trust: Trust| {
            let said = trust.config().err().map(|error| format!("{error:#}")).unwrap_or_default();
            said.replace(folder.path().to_str().unwrap(), "")
        };
        assert_eq!(said(Trust { ca: Some(file), ..Trust::default() }), expected);
    }

    #[test]
    fn files_that_hold_no_certificate() {
        check("", "`/file` holds no certificate in PEM");
        check(
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "`/file` holds a certificate that is cut or no base64",
        );
        check(&"x".repeat(2 << 20), "`/file` has 2097152 bytes; the limit is 1048576");
    }

    #[test]
    fn no_key_in_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\ns3cr3t!\n-----END PRIVATE KEY-----\n").unwrap();
        let (ca, authority) = (folder.path().join("ca"), KeyPair::generate().unwrap());
        std::fs::write(&ca, CertificateParams::default().self_signed(&authority).unwrap().pem()).unwrap();
        let trust = Trust { client_cert: Some(file.clone()), client_key: Some(file), ca: Some(ca) };
        let said = format!("{:#}", trust.config().unwrap_err());
        assert!(said.contains("holds no private key in PEM") && !said.contains("s3cr3t"), "{said}");
    }
}
