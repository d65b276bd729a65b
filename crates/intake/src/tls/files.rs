//! Files to what a handshake needs.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::certificate::Facts;
use super::clients::ClientVerifier;
use super::{Clients, TlsOptions, provider};

/// Longer files are surely something else.
const FILE_BYTES: u64 = 1 << 20;
const NO_X509: &str = "it is no X.509 certificate";
/// What names a protocol may be agreed on by, the better one first.
const ALPN_HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why files cannot be used. None of these shows what is in a key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not there, or not for us.
    #[error("`{path}` cannot be read: {cause}", path = file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is something else.
    #[error("`{path}` has more than {FILE_BYTES} bytes, which no file of certificates has", path = .0.display())]
    TooLong(PathBuf),
    /// Others could read the key.
    #[error("key file `{path}` is open to others (mode {mode:03o}); run `chmod 600 {path}`, or 640 for a group that may read it", path = file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it is a certificate.
    #[error("`{path}` holds no certificate in PEM", path = .0.display())]
    NoCertificate(PathBuf),
    /// Something in it begins like a certificate.
    #[error("certificate {number} in `{path}` cannot be read: {cause}", path = file.display())]
    BadCertificate {
        /// The file.
        file: PathBuf,
        /// Which in the file, from 1.
        number: usize,
        /// Why.
        cause: String,
    },
    /// Nothing in it is a key.
    #[error("`{path}` holds no private key in PEM, or one that is cut or protected by a password", path = .0.display())]
    NoKey(PathBuf),
    /// A key of a kind that TLS is not used with.
    #[error("the private key in `{path}` is of a kind that cannot be used; ECDSA, Ed25519 and RSA keys can", path = .0.display())]
    BadKey(PathBuf),
    /// Two files of different pairs.
    #[error("the private key in `{key}` does not belong to the certificate in `{certificate}`", key = key.display(), certificate = certificate.display())]
    Apart {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

/// What a handshake needs.
#[derive(Debug)]
pub(super) struct Loaded {
    /// For listeners of HTTP.
    pub(super) http: Arc<ServerConfig>,
    /// For the others, where there is nothing to agree on.
    pub(super) raw: Arc<ServerConfig>,
    /// From when the certificate holds, in seconds since the Unix epoch.
    pub(super) valid_from_s: i64,
    /// Until when.
    pub(super) expires_s: i64,
    /// Of the content of all files.
    pub(super) digest: [u8; 32],
}

/// The content of the files.
pub(super) struct Content {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    authorities: Option<Vec<u8>>,
    /// In the order of the options.
    bundles: Vec<Vec<u8>>,
}

impl Content {
    pub(super) fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let key = Zeroizing::new(read(&options.key, true)?);
        let clients = options.clients.authorities();
        let authorities = clients.and_then(|all| all.file.as_ref()).map(|file| read(file, false)).transpose()?;
        let bundles = clients.iter().flat_map(|all| all.trust_domains.values()).map(|file| read(file, false));
        let bundles = bundles.collect::<Result<_, _>>()?;
        Ok(Self { certificate: read(&options.certificate, false)?, key, authorities, bundles })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let own = [Some(self.certificate.as_slice()), Some(&self.key), self.authorities.as_deref()];
        let own = own.into_iter().map(Option::unwrap_or_default);
        for file in own.chain(self.bundles.iter().map(Vec::as_slice)) {
            digest.update((file.len() as u64).to_be_bytes());
            digest.update(file);
        }
        digest.finalize().into()
    }

    pub(super) fn load(&self, options: &TlsOptions) -> Result<Loaded, TlsError> {
        let chain = certificates(&options.certificate, &self.certificate)?;
        let bad = |cause| TlsError::BadCertificate { file: options.certificate.clone(), number: 1, cause };
        let facts = chain.first().and_then(|certificate| Facts::read(certificate));
        let Facts { valid_from_s, expires_s, .. } = facts.ok_or_else(|| bad(NO_X509.to_owned()))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::NoKey(options.key.clone()))?;
        let provider = provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| TlsError::BadKey(options.key.clone()))?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            // A key that cannot tell its public half is found out by the first handshake.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                let (certificate, key) = (options.certificate.clone(), options.key.clone());
                return Err(TlsError::Apart { certificate, key });
            }
            Err(error) => return Err(bad(error.to_string())),
        }
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?;
        let builder = match self.verifier(&options.clients)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
        };
        let resolver = rustls::sign::SingleCertAndKey::from(pair);
        let mut raw = builder.with_cert_resolver(Arc::new(resolver));
        let mut http = raw.clone();
        // A sender of syslog never reads. When it closes with a ticket unread, its system resets the connection, and what had not
        // been sent by then is gone.
        raw.send_tls13_tickets = 0;
        http.alpn_protocols = ALPN_HTTP.map(<[u8]>::to_vec).to_vec();
        let (http, raw) = (Arc::new(http), Arc::new(raw));
        Ok(Loaded { http, raw, valid_from_s, expires_s, digest: self.digest() })
    }

    fn verifier(&self, clients: &Clients) -> Result<Option<ClientVerifier>, TlsError> {
        let Some(all) = clients.authorities() else { return Ok(None) };
        let authorities = all.file.as_deref().zip(self.authorities.as_deref());
        let domains = all.trust_domains.iter().zip(&self.bundles);
        let domains: Vec<_> =
            domains.map(|((domain, file), content)| (domain.as_str(), file.as_path(), content.as_slice())).collect();
        let is_required = matches!(clients, Clients::Required(_));
        ClientVerifier::new(is_required, authorities, &domains).map(Some)
    }
}

impl Loaded {
    pub(super) fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        Content::read(options)?.load(options)
    }
}

pub(super) fn certificates(file: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut found = Vec::new();
    for (place, certificate) in CertificateDer::pem_slice_iter(content).enumerate() {
        let bad = |cause: String| TlsError::BadCertificate { file: file.to_owned(), number: place + 1, cause };
        // The file may hold the key as well, so nothing of it is shown.
        let certificate = certificate.map_err(|_| bad("it is cut or no base64".to_owned()))?;
        Facts::read(&certificate).ok_or_else(|| bad(NO_X509.to_owned()))?;
        found.push(certificate);
    }
    if found.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(found) }
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, TlsError> {
    let failed = |cause| TlsError::Unreadable { file: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    // Checked on the open file, so that no other file can take its place in between.
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.mode() & 0o777;
    // A group may read: that is how keys are shared with a service. What it can write is not its owner's any more.
    if secret && mode & 0o037 != 0 {
        return Err(TlsError::Exposed { file: path.to_owned(), mode });
    }
    // Room for all of it, because a buffer that grows leaves copies behind.
    let mut content = Vec::with_capacity(metadata.len().min(FILE_BYTES) as usize + 1);
    file.take(FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > FILE_BYTES {
        return Err(TlsError::TooLong(path.to_owned()));
    }
    Ok(content)
}
