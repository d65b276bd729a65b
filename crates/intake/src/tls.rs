//! TLS: certificates of listeners, and what they ask of those who come.
//!
//! One [`Tls`] stands for a set of files, whichever listeners use it. Files may be changed at any time: a set that is whole is
//! taken up by the next handshake, and connections that are open stay as they are. One that is not whole (a key that does
//! not belong to the certificate, half a file) changes nothing, and is said.
//!
//! Versions 1.2 and 1.3 only, and of their cipher suites those of rustls: authenticated encryption with forward secrecy.
//!
//! Not here: the handshake itself and its bounds (`door`).

mod certificate;
mod clients;
mod files;
mod svid;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};

pub use certificate::certificate_facts;
pub(crate) use certificate::identity;
use files::Loaded;
pub use files::TlsError;
pub use svid::is_spiffe_id;
#[cfg(test)]
pub(crate) use watch::Seen;
pub use watch::watch_certificates;

use crate::watch::Refusals;

/// Which files a listener uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificate of the listener, with those between it and the root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whether those who come have to show a certificate of their own.
    pub clients: Clients,
}

/// Who may have issued the certificates of those who come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities {
    /// File of authorities. They also speak for SPIFFE ids as long as there are no trust domains.
    pub file: Option<PathBuf>,
    /// For each trust domain of SPIFFE, the file of its authorities, which alone speak for its ids.
    pub trust_domains: BTreeMap<String, PathBuf>,
}

impl From<PathBuf> for Authorities {
    fn from(file: PathBuf) -> Self {
        Self { file: Some(file), trust_domains: BTreeMap::new() }
    }
}

/// Whether those who come have to show a certificate, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    /// They are not asked.
    Unasked,
    /// They are asked; who has none may come all the same, who has a bad one not.
    Asked(Authorities),
    /// Who has none is refused.
    Required(Authorities),
}

impl Clients {
    /// Whose certificates are good; `None` if nobody is asked for one.
    pub fn authorities(&self) -> Option<&Authorities> {
        match self {
            Self::Unasked => None,
            Self::Asked(authorities) | Self::Required(authorities) => Some(authorities),
        }
    }

    /// As the API says it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unasked => "off",
            Self::Asked(_) => "optional",
            Self::Required(_) => "required",
        }
    }
}

/// A set of files in use.
#[derive(Debug)]
pub struct Tls {
    options: TlsOptions,
    current: Mutex<Arc<Loaded>>,
    refusals: Refusals,
    changes: AtomicU64,
    failures: AtomicU64,
}

/// How a set of files does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsStatus {
    /// The file of the certificate.
    pub certificate: PathBuf,
    /// When the certificate in use expires, in seconds since the Unix epoch.
    pub expires_s: i64,
    /// How often changed files were taken up.
    pub changes: u64,
    /// How often changed files could not be taken up.
    pub failures: u64,
    /// Whether the files as they are now cannot be taken up.
    pub failing: bool,
}

impl Tls {
    /// Reads the files. Blocks as long as the disk takes.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn open(options: TlsOptions) -> Result<Arc<Self>, TlsError> {
        let current = Mutex::new(Arc::new(Loaded::read(&options)?));
        let (changes, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Arc::new(Self { options, current, refusals: Refusals::default(), changes, failures }))
    }

    /// Which files these are.
    pub fn options(&self) -> &TlsOptions {
        &self.options
    }

    /// How they do.
    pub fn status(&self) -> TlsStatus {
        TlsStatus {
            certificate: self.options.certificate.clone(),
            expires_s: self.current.lock().expires_s,
            changes: self.changes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            failing: self.refusals.is_failing(),
        }
    }

    /// What the next handshake is held with.
    pub(crate) fn config(&self, http: bool) -> Arc<ServerConfig> {
        let current = self.current.lock();
        if http { current.http.clone() } else { current.raw.clone() }
    }
}

/// The cryptography of all our listeners. Named here, so that nothing depends on what else is linked.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
