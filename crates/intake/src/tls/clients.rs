//! Which certificates of clients are good: those of the listener's authorities, and, for a SPIFFE id, those of its trust domain.
//!
//! A trust domain is spoken for by the authorities of its own bundle and by no others, or one mesh could name workloads of
//! another. Whoever claims an id of a domain for which there is no bundle is refused as soon as there is any.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate::Facts;
use super::files::{TlsError, certificates};
use super::provider;
use super::svid::SpiffeId;

#[derive(Debug)]
pub(super) struct ClientVerifier {
    is_required: bool,
    /// For whoever claims no SPIFFE id, and for all while there are no trust domains.
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    trust_domains: BTreeMap<String, Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
}

impl ClientVerifier {
    pub(super) fn new(
        is_required: bool,
        authorities: Option<(&Path, &[u8])>,
        trust_domains: &[(&str, &Path, &[u8])],
    ) -> Result<Self, TlsError> {
        let authorities = authorities.map(|(file, content)| verifier(file, content)).transpose()?;
        let bundles =
            trust_domains.iter().map(|(domain, file, content)| Ok(((*domain).to_owned(), verifier(file, content)?)));
        let trust_domains: BTreeMap<_, _> = bundles.collect::<Result<_, TlsError>>()?;
        let all = authorities.iter().chain(trust_domains.values());
        let hints = all.flat_map(|one| one.root_hint_subjects().to_vec()).collect();
        Ok(Self { is_required, authorities, trust_domains, hints })
    }

    fn speaker_for(&self, id: Option<&SpiffeId>) -> Option<&Arc<dyn ClientCertVerifier>> {
        match id.filter(|_| !self.trust_domains.is_empty()) {
            Some(id) => self.trust_domains.get(id.trust_domain()),
            None => self.authorities.as_ref(),
        }
    }
}

fn verifier(file: &Path, content: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let bad = |number, cause| TlsError::BadCertificate { file: file.to_owned(), number, cause };
    let mut roots = RootCertStore::empty();
    for (place, certificate) in certificates(file, content)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| bad(place + 1, error.to_string()))?;
    }
    let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    built.map_err(|error| bad(1, error.to_string()))
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = Facts::read(end_entity).ok_or(CertificateError::BadEncoding)?;
        let id = SpiffeId::of(&facts).map_err(|why| CertificateError::Other(OtherError(Arc::new(why))))?;
        let speaker = self.speaker_for(id.as_ref()).ok_or(CertificateError::UnknownIssuer)?;
        speaker.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
