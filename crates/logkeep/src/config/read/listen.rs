//! Where to listen, and how what comes is protected on its way.
//!
//! A listener that other hosts reach has TLS, or the file says of that very listener that it has none. The main one shows what is
//! stored, so there other hosts need a certificate, of authorities that are its own: who may send may not read.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use logkeep_server::{Demand, PORTS, Port};

use super::super::{ClientCertificates, Listen, Listener, Tls, keys};
use super::{Entry, Kind, Node, Reader, ValueFault, path};

const MAIN: &str = "listen.main";
const NOBODY_ASKS: &str = "set `client_certificates: required` (or `optional`) below `tls` or below a listener";
/// What may stand below a listener.
const NAMES: &[&str] = &["address", "plaintext", "senders", "certificate", "key", "client_ca", "client_certificates"];

impl Reader<'_> {
    pub(super) fn listen(&mut self) -> (Listen, Tls) {
        let tls = self.tls();
        let unusable = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let main = self.listener(MAIN).unwrap_or_else(|| Listener::at(unusable));
        let receivers = PORTS.iter().map(|port| (port, self.receiver(port, &tls))).collect();
        let listen = Listen { main, receivers };
        self.refuse_shared_addresses(&listen);
        self.check_pair("tls", self.line("tls.certificate").max(self.line("tls.key")), &tls);
        self.check_main(&listen, &tls);
        for (port, listener) in &listen.receivers {
            if let Some(listener) = listener {
                self.check_receiver(port, listener, &tls);
            }
        }
        self.check_authorities(&listen, &tls);
        (listen, tls)
    }

    fn tls(&mut self) -> Tls {
        Tls {
            certificate: self.path("tls.certificate"),
            key: self.path("tls.key"),
            client_ca: self.path("tls.client_ca"),
            trust_domains: self.trust_domains(),
            client_certificates: self
                .written("tls.client_certificates")
                .and_then(|_| self.value("tls.client_certificates", client_certificates)),
        }
    }

    /// A file for each trust domain.
    fn trust_domains(&mut self) -> BTreeMap<String, PathBuf> {
        const PATH: &str = "tls.trust_domains";
        let mut domains = BTreeMap::new();
        let Some(node) = self.written(PATH) else { return domains };
        let Kind::Map(entries) = &node.kind else {
            let message = format!("`{PATH}` is {}, expected a section", node.kind.name());
            self.fault(node.line, message, Some("write `mesh.example: /etc/mesh-bundle.pem` below it".into()));
            return domains;
        };
        for Entry { line, key, value } in entries {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            match &value.kind {
                _ if key.is_empty() || key.len() > 255 || !key.bytes().all(plain) => {
                    let hint = "such as `mesh.example`: small letters, digits, `.`, `-` and `_`";
                    self.fault(*line, format!("`{PATH}`: `{key}` is no trust domain"), Some(hint.into()));
                }
                Kind::Scalar(file) if !file.is_empty() => drop(domains.insert(key.clone(), PathBuf::from(file))),
                other => {
                    let message = format!("`{PATH}.{key}` is {}, expected the file of its authorities", other.name());
                    self.fault(*line, message, None);
                }
            }
        }
        domains
    }

    fn receiver(&mut self, port: &Port, tls: &Tls) -> Option<Listener> {
        let listener = self.listener(&port.setting())?;
        // Of no use without a certificate, and nobody has asked for it.
        let idle = port.needs_tls() && !listener.configured && tls.certificate.is_none();
        (!idle).then_some(listener)
    }

    fn listener(&mut self, path: &str) -> Option<Listener> {
        let written = self.written(path);
        if let Some(Node { kind: Kind::Map(entries), .. }) = written {
            return self.section(path, entries);
        }
        // YAML 1.1 habits read `off` as false.
        let off = |text: &str| path != MAIN && (text.eq_ignore_ascii_case("off") || text == "false");
        let address = self.value(path, |text| if off(text) { Ok(None) } else { address(path, text).map(Some) });
        let address = address.flatten()?;
        Some(Listener { configured: written.is_some(), ..Listener::at(address) })
    }

    fn section(&mut self, path: &str, entries: &[Entry]) -> Option<Listener> {
        let before = self.faults.len();
        let mut read = Listener::at(address(path, &keys::find(path).default).ok()?);
        read.configured = true;
        for Entry { line, key, value } in entries {
            let Kind::Scalar(text) = &value.kind else {
                self.fault(*line, format!("`{path}.{key}` is {}, expected a single value", value.kind.name()), None);
                continue;
            };
            if let Err((message, hint)) = read.set(path, key, text) {
                self.fault(*line, format!("`{path}.{key}`: {message}"), hint);
            }
        }
        (self.faults.len() == before).then_some(read)
    }

    /// Two TCP listeners cannot have one address; UDP ports are a space of their own.
    fn refuse_shared_addresses(&mut self, listen: &Listen) {
        let main = (MAIN.to_owned(), false, Some(listen.main.address));
        let others = listen.receivers.iter();
        let others =
            others.map(|(port, listener)| (port.setting(), port.is_udp(), listener.as_ref().map(|at| at.address)));
        let all: Vec<_> = std::iter::once(main).chain(others).collect();
        for (place, (path, udp, address)) in all.iter().enumerate() {
            let Some(address) = address.filter(|address| address.port() != 0) else { continue };
            let same = |(_, other_udp, other): &&(String, bool, Option<SocketAddr>)| {
                other_udp == udp && *other == Some(address)
            };
            if let Some((other, ..)) = all[..place].iter().find(same) {
                let line = self.line(path).max(self.line(other));
                let message = format!("`{path}` and `{other}` both have {address}");
                self.fault(line, message, Some("give each its own port, or turn one off".into()));
            }
        }
    }

    fn check_pair(&mut self, path: &str, line: u64, tls: &Tls) {
        let missing = match (&tls.certificate, &tls.key) {
            (Some(_), None) => "key",
            (None, Some(_)) => "certificate",
            _ => return,
        };
        self.fault(line, format!("`{path}.{missing}` is missing: a certificate and its key go together"), None);
    }

    fn check_main(&mut self, listen: &Listen, tls: &Tls) {
        let (line, main) = (self.line(MAIN), &listen.main);
        self.check_tls(MAIN, line, main, tls);
        self.check_certificates_are_asked_for(MAIN, line, main, tls);
        if main.is_on_loopback() {
            return;
        }
        let message = format!("`{MAIN}`: `{}` can be reached from other hosts, and shows what is stored", main.address);
        let required = main.uses_tls(tls) && main.client_certificates(tls) == ClientCertificates::Required;
        if !required {
            let hint = "listen on 127.0.0.1, or have `client_certificates: required` there (docs/guide/tls.md)";
            return self.fault(line, message, Some(hint.into()));
        }
        let senders =
            |own: &Path| listen.receivers.iter().flat_map(|(_, at)| at).any(|at| at.authorities(tls) == Some(own));
        if main.tls.client_ca.as_deref().is_none_or(senders) {
            let hint = "give it a `client_ca` of its own, which issues to nobody who only sends";
            self.fault(line, message, Some(hint.into()));
        }
    }

    fn check_receiver(&mut self, port: &Port, listener: &Listener, tls: &Tls) {
        let path = port.setting();
        let line = self.line(&path);
        if port.is_udp() && listener.tls != Tls::default() {
            self.fault(
                line,
                format!("`{path}`: there is no TLS over UDP"),
                Some("leave all but `address`, `plaintext` and `senders` away".into()),
            );
        } else if port.needs_tls() && !listener.uses_tls(tls) {
            let hint = "set `tls.certificate` and `tls.key`, or turn it off";
            self.fault(line, format!("`{path}` needs a certificate"), Some(hint.into()));
        } else {
            self.check_tls(&path, line, listener, tls);
        }
        let encrypted = !port.is_udp() && listener.uses_tls(tls);
        if !encrypted && !listener.plaintext && !listener.is_on_loopback() {
            let message = format!("`{path}`: `{}` can be reached from other hosts, in the clear", listener.address);
            let hint = if port.is_udp() { "" } else { "set `tls.certificate` and `tls.key`, or " };
            let name = path.trim_start_matches("listen.");
            let hint =
                format!("{hint}say that it may be: `{name}: {{address: \"{}\", plaintext: true}}`", listener.address);
            self.fault(line, message, Some(hint));
        } else {
            self.check_senders(port, listener, tls);
        }
    }

    /// What a listener demands of those who send has to be possible for them.
    fn check_senders(&mut self, port: &Port, listener: &Listener, tls: &Tls) {
        let (path, demand) = (port.setting(), listener.demand());
        let line = self.line(&path);
        let name = path.trim_start_matches("listen.");
        let or_open =
            format!("say that anybody may send: `{name}: {{address: \"{}\", senders: open}}`", listener.address);
        if demand == Demand::Open {
            return;
        }
        if port.is_udp() {
            let message = format!("`{path}`: over UDP nobody can say who sends");
            return self.fault(line, message, Some(or_open));
        }
        let has_key = name == "forward_tcp" && self.written("forward.shared_key_file").is_some();
        if demand == Demand::Certificate {
            self.check_certificates_are_asked_for(&path, line, listener, tls);
        } else if port.takes_tokens() || has_key {
            // Those who send have a place for it.
        } else if demand == Demand::Token {
            let message = format!("`{path}`: this protocol has no place for a token");
            let hint =
                if name == "forward_tcp" { "set `forward.shared_key_file`" } else { "use `senders: certificate`" };
            self.fault(line, message, Some(hint.into()));
        } else if !listener.knows_certificates(tls) {
            let message = format!(
                "`{path}`: `{}` can be reached from other hosts, and does not know who sends",
                listener.address
            );
            let hint = format!("set `client_ca` and `client_certificates: required`, or {or_open}");
            self.fault(line, message, Some(hint));
        }
    }

    /// Who demands certificates has to ask for them.
    fn check_certificates_are_asked_for(&mut self, path: &str, line: u64, listener: &Listener, tls: &Tls) {
        if listener.demand() == Demand::Certificate && !listener.knows_certificates(tls) {
            let message = format!("`{path}` demands certificates of those who send, and does not ask for any");
            self.fault(line, message, Some("set `client_ca` and `client_certificates: required`".into()));
        }
    }

    /// What a listener says of TLS has to have an effect.
    fn check_tls(&mut self, path: &str, line: u64, listener: &Listener, tls: &Tls) {
        self.check_pair(path, line, &listener.tls);
        if !listener.uses_tls(tls) {
            if listener.tls != Tls::default() {
                let message = format!("`{path}` has settings of TLS, and no TLS");
                self.fault(
                    line,
                    message,
                    Some("set `certificate` and `key`, there or below `tls`, and not `plaintext`".into()),
                );
            }
            return;
        }
        let asks = listener.client_certificates(tls) != ClientCertificates::Off;
        if asks && !listener.knows_certificates(tls) {
            let message = format!("`{path}` asks for client certificates of no authority");
            self.fault(line.max(self.line("tls.client_certificates")), message, Some("set `client_ca`".into()));
        } else if !asks && listener.tls.client_ca.is_some() {
            let message = format!("`{path}.client_ca` has no effect");
            self.fault(line, message, Some("set `client_certificates: required`, or `optional`".into()));
        }
    }

    fn check_authorities(&mut self, listen: &Listen, tls: &Tls) {
        let all = || std::iter::once(&listen.main).chain(listen.receivers.iter().filter_map(|(_, at)| at.as_ref()));
        let used = |file: &Path| all().any(|at| at.authorities(tls) == Some(file));
        if let Some(file) = tls.client_ca.as_deref()
            && !used(file)
        {
            let message = "`tls.client_ca` has no effect: no listener asks for client certificates".to_owned();
            self.fault(self.line("tls.client_ca"), message, Some(NOBODY_ASKS.into()));
        }
        if !tls.trust_domains.is_empty() && !all().any(|at| at.knows_certificates(tls)) {
            let message = "`tls.trust_domains` has no effect: no listener asks for client certificates".to_owned();
            self.fault(self.line("tls.trust_domains"), message, Some(NOBODY_ASKS.into()));
        }
    }
}

impl Listener {
    fn set(&mut self, listener: &str, name: &str, text: &str) -> Result<(), ValueFault> {
        match name {
            "address" => self.address = address(listener, text)?,
            "plaintext" => self.plaintext = yes_or_no(text)?,
            "senders" => self.senders = Some(demand(text)?),
            "certificate" => self.tls.certificate = Some(path(text)?),
            "key" => self.tls.key = Some(path(text)?),
            "client_ca" => self.tls.client_ca = Some(path(text)?),
            "client_certificates" => self.tls.client_certificates = Some(client_certificates(text)?),
            _ => return Err(("unknown key".to_owned(), Some(format!("valid here: {}", NAMES.join(", "))))),
        }
        Ok(())
    }
}

fn yes_or_no(text: &str) -> Result<bool, ValueFault> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err((format!("`{text}` is neither true nor false"), None)),
    }
}

fn demand(text: &str) -> Result<Demand, ValueFault> {
    let found = Demand::ALL.into_iter().find(|demand| demand.as_str().eq_ignore_ascii_case(text));
    let all = || Some(format!("one of {}", Demand::ALL.map(Demand::as_str).join(", ")));
    found.ok_or_else(|| (format!("`{text}` is none of the choices"), all()))
}

fn client_certificates(text: &str) -> Result<ClientCertificates, ValueFault> {
    match text.to_ascii_lowercase().as_str() {
        "off" | "false" => Ok(ClientCertificates::Off),
        "optional" => Ok(ClientCertificates::Optional),
        "required" => Ok(ClientCertificates::Required),
        _ => Err((format!("`{text}` is none of the choices"), Some("one of off, optional, required".to_owned()))),
    }
}

fn address(path: &str, text: &str) -> Result<SocketAddr, ValueFault> {
    let default = &keys::find(path).default;
    match text.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        Err(_) => text.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
            let or_off = if path == MAIN { "" } else { " or `off`" };
            (format!("`{text}` is no address"), Some(format!("write address and port, like `{default}`{or_off}")))
        }),
    }
}
