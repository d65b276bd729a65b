//! What the TLS of a connection was, in the words of Envoy's text logs.

use logkeep_record::{Attributes, Value};

use super::messages::{Certificate, Tls};
use crate::spans::put;

const VERSIONS: [&str; 5] = ["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// The suites that Envoy can be told to use, by IANA's number.
const CIPHERS: [(u32, &str); 13] = [
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0xc009, "ECDHE-ECDSA-AES128-SHA"),
    (0xc00a, "ECDHE-ECDSA-AES256-SHA"),
    (0xc013, "ECDHE-RSA-AES128-SHA"),
    (0xc014, "ECDHE-RSA-AES256-SHA"),
    (0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"),
    (0xc030, "ECDHE-RSA-AES256-GCM-SHA384"),
    (0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"),
    (0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"),
];

pub(super) fn put_tls(pairs: &mut Attributes<'static>, tls: Tls) {
    let version = usize::try_from(tls.version).ok().and_then(|version| VERSIONS.get(version));
    put(pairs, "downstream_tls_version", version.map(|version| Value::str(version)));
    put(pairs, "downstream_tls_cipher", tls.cipher.map(|cipher| Value::from(cipher_name(cipher.value))));
    put(pairs, "requested_server_name", Value::from(tls.server_name));
    put(pairs, "tls.client.ja3", Value::from(tls.ja3));
    put_certificate(pairs, tls.peer, ["downstream_peer_uri_san", "downstream_peer_dns_san", "downstream_peer_subject"]);
    put_certificate(
        pairs,
        tls.local,
        ["downstream_local_uri_san", "downstream_local_dns_san", "downstream_local_subject"],
    );
}

fn cipher_name(number: u32) -> String {
    let known = CIPHERS.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("0x{number:04X}"), |(_, name)| (*name).to_owned())
}

/// Several names are joined by commas, as in text logs.
fn put_certificate(pairs: &mut Attributes<'static>, certificate: Option<Certificate>, keys: [&'static str; 3]) {
    let Some(certificate) = certificate else { return };
    let (mut uris, mut hosts) = (Vec::new(), Vec::new());
    for name in certificate.names {
        uris.extend(Some(name.uri).filter(|uri| !uri.is_empty()));
        hosts.extend(Some(name.dns).filter(|host| !host.is_empty()));
    }
    for (key, text) in keys.into_iter().zip([uris.join(","), hosts.join(","), certificate.subject]) {
        put(pairs, key, Value::from(text));
    }
}
