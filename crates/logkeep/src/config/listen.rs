//! Where to listen, and with which files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use logkeep_server::{Authorities, Clients, Demand, Port, TlsOptions};

/// Files of TLS, of all listeners or of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate with its chain.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Authorities that issue certificates to senders.
    pub client_ca: Option<PathBuf>,
    /// Authorities of trust domains of SPIFFE, by domain; of all listeners, none has its own.
    pub trust_domains: BTreeMap<String, PathBuf>,
    /// Whether senders are asked for one.
    pub client_certificates: Option<ClientCertificates>,
}

/// Whether senders are asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// No.
    Off,
    /// Yes, but who has none may send.
    Optional,
    /// Who has none is refused.
    Required,
}

impl ClientCertificates {
    /// As the file says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether the operator chose it: then a taken port is an error, otherwise a warning.
    pub configured: bool,
    /// Whether it has no TLS on purpose, even if other hosts reach it.
    pub plaintext: bool,
    /// What those have to show who send, where the file says it.
    pub senders: Option<Demand>,
    /// What it has instead of what all listeners have.
    pub tls: Tls,
}

impl Listener {
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { address, configured: false, plaintext: false, senders: None, tls: Tls::default() }
    }

    /// Whether only this machine reaches it.
    pub(super) fn is_on_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// What those have to show who send: nothing on this machine, a token or a certificate from elsewhere, unless the file
    /// says otherwise.
    pub fn demand(&self) -> Demand {
        self.senders.unwrap_or(if self.is_on_loopback() { Demand::Open } else { Demand::Any })
    }

    /// Whether it speaks TLS, given what all listeners have.
    pub(super) fn uses_tls(&self, all: &Tls) -> bool {
        !self.plaintext && (self.tls.certificate.is_some() || all.certificate.is_some())
    }

    pub(super) fn client_certificates(&self, all: &Tls) -> ClientCertificates {
        self.tls.client_certificates.or(all.client_certificates).unwrap_or(ClientCertificates::Off)
    }

    pub(super) fn client_ca<'t>(&'t self, all: &'t Tls) -> Option<&'t Path> {
        self.tls.client_ca.as_deref().or(all.client_ca.as_deref())
    }

    /// Whether it asks for certificates that it can tell good from bad.
    pub(super) fn knows_certificates(&self, all: &Tls) -> bool {
        let asks = self.uses_tls(all) && self.client_certificates(all) != ClientCertificates::Off;
        asks && (self.client_ca(all).is_some() || !all.trust_domains.is_empty())
    }

    /// The authorities that it really asks for.
    pub(super) fn authorities<'t>(&'t self, all: &'t Tls) -> Option<&'t Path> {
        let asks = self.uses_tls(all) && self.client_certificates(all) != ClientCertificates::Off;
        self.client_ca(all).filter(|_| asks)
    }

    /// What the server needs, given what all listeners have; `None` is plaintext.
    pub fn tls_options(&self, all: &Tls) -> Option<TlsOptions> {
        if !self.uses_tls(all) {
            return None;
        }
        let pair = if self.tls.certificate.is_some() { &self.tls } else { all };
        let file = self.client_ca(all).map(Path::to_owned);
        let authorities = Authorities { file, trust_domains: all.trust_domains.clone() };
        let clients = match self.client_certificates(all) {
            _ if !self.knows_certificates(all) => Clients::Unasked,
            ClientCertificates::Off => Clients::Unasked,
            ClientCertificates::Optional => Clients::Asked(authorities),
            ClientCertificates::Required => Clients::Required(authorities),
        };
        Some(TlsOptions { certificate: pair.certificate.clone()?, key: pair.key.clone()?, clients })
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// API and UI.
    pub main: Listener,
    /// Every port of a receiver; `None` is off.
    pub receivers: Vec<(&'static Port, Option<Listener>)>,
}

impl Listen {
    /// Where the receiver of this name listens; `None` if it is off, or there is none of this name.
    pub fn receiver(&self, name: &str) -> Option<&Listener> {
        self.receivers.iter().find(|(port, _)| port.name == name)?.1.as_ref()
    }
}
