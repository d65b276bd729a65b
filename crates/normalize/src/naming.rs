//! Which service is meant by the many names that meshes have for it.
//!
//! `reviews` is `reviews.default.svc.cluster.local` to Kubernetes, `outbound|9080|v1|…` to Istio's Envoy,
//! `reviews.default.dc1.internal.….consul` to Consul's, `reviews_default_svc_9080` to Kuma, `…/sa/reviews` in a SPIFFE id and
//! `reviews.default.serviceaccount.identity.…` in Linkerd's. Figures of a call can be put together only under one of them.
//! Names of no known form stay as they are.

use std::net::IpAddr;

/// Clusters of proxies that say where a request did not go, only that it went on, or that it went to the own application.
const NO_SERVICE: [&str; 9] = [
    "-",
    "unknown",
    "local_app",
    "PassthroughCluster",
    "BlackHoleCluster",
    "InboundPassthroughCluster",
    "InboundPassthroughClusterIpv4",
    "InboundPassthroughClusterIpv6",
    "original-destination",
];
/// The own application, to Kuma's proxies.
const OWN_APPLICATION: &str = "localhost:";
/// The account that everyone has who was given none.
const NOBODYS_ACCOUNT: &str = "default";

/// The service behind a host, a proxy's cluster, a server name of TLS or an identity; `None` if it names none.
pub fn service_of(name: &str) -> Option<&str> {
    // A certificate may have several names; the first is the one it was made for.
    let name = name.split(',').next().unwrap_or_default().trim();
    if NO_SERVICE.contains(&name) || name.starts_with(OWN_APPLICATION) {
        return None;
    }
    if let Some(id) = name.strip_prefix("spiffe://") {
        let (_, path) = id.split_once('/')?;
        return account(path.rsplit('/').next()?).map(plain_of_kuma);
    }
    let host = match istio_host(name) {
        Some(host) => host,
        // Consul marks what it made of an upstream's by what stands in front of it.
        None => name.rsplit('~').next()?,
    };
    Some(without_port(host)).filter(|host| !host.is_empty()).and_then(service_of_host)
}

/// The workload that a pod belongs to, by what Kubernetes appends to its name.
///
/// `reviews-v1-7d4f9c8b6d-x2x9z` (deployment), `db-0` (stateful set), `agent-x2x9z` (daemon set): the part before what
/// Kubernetes appended, whose alphabet has neither vowels nor 0, 1 and 3.
pub fn workload_of(pod: &str) -> &str {
    let generated = |part: &str| part.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b));
    let Some((front, last)) = pod.rsplit_once('-').filter(|(front, _)| !front.is_empty()) else { return pod };
    if last.bytes().all(|b| b.is_ascii_digit()) && last.len() <= 4 && !last.is_empty() {
        return front;
    }
    if last.len() != 5 || !generated(last) {
        return pod;
    }
    match front.rsplit_once('-') {
        Some((workload, hash)) if (8..=10).contains(&hash.len()) && generated(hash) && !workload.is_empty() => workload,
        _ => front,
    }
}

fn account(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty() && *name != NOBODYS_ACCOUNT)
}

/// The host in `outbound|80|subset|host`, `inbound-vip|80|http|host` or `outbound_.80_.subset_.host`; empty in `inbound|80||`.
fn istio_host(name: &str) -> Option<&str> {
    let is_istio = name.starts_with("outbound") || name.starts_with("inbound");
    let (cluster, server_name) = (name.splitn(4, '|').nth(3), name.splitn(4, "_.").nth(3));
    let host = cluster.or(server_name).filter(|_| is_istio)?;
    Some(host.trim_end_matches(';'))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((front, port)) if !front.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => front,
        _ => host,
    }
}

fn service_of_host(host: &str) -> Option<&str> {
    if host.parse::<IpAddr>().is_ok() {
        return Some(host);
    }
    let labels = || host.split('.');
    let at = |wanted: &str| labels().position(|label| label == wanted);
    let label = |place: Option<usize>| place.and_then(|place| labels().nth(place)).filter(|label| !label.is_empty());
    if host.ends_with(".consul") {
        // `[subset.]service.namespace.datacenter.internal.…`, with a partition between in `internal-v1`, a peer in `external`.
        let back = [("internal", 3), ("internal-v1", 4), ("external", 4)];
        let place = back.iter().find_map(|(word, back)| at(word).and_then(|place| place.checked_sub(*back)));
        return label(place).or_else(|| labels().next());
    }
    if let Some(place) = at("serviceaccount").filter(|place| labels().nth(place + 1) == Some("identity")) {
        return label(place.checked_sub(2)).and_then(account);
    }
    if let Some(place) = at("svc").and_then(|place| place.checked_sub(2)) {
        return label(Some(place));
    }
    Some(plain_of_kuma(host))
}

/// The service in `service_namespace_svc_port`, or without the port; Kubernetes' names have no underscores.
fn plain_of_kuma(name: &str) -> &str {
    let found = name.rsplit_once("_svc").and_then(|(front, port)| {
        let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
        let ends = port.is_empty() || port.strip_prefix('_').is_some_and(is_port);
        front.split_once('_').filter(|(service, namespace)| {
            ends && !service.is_empty() && !namespace.is_empty() && !namespace.contains('_')
        })
    });
    found.map_or(name, |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services() {
        for (name, service) in [
            ("reviews", Some("reviews")),
            ("reviews:9080", Some("reviews")),
            ("reviews.default.svc.cluster.local", Some("reviews")),
            ("reviews.default.svc", Some("reviews")),
            ("db-0.db.shop.svc.cluster.local:5432", Some("db")),
            ("outbound|9080||reviews.default.svc.cluster.local", Some("reviews")),
            ("outbound|443|v2|api.example.com", Some("api.example.com")),
            ("outbound_.9080_.v1_.reviews.default.svc.cluster.local", Some("reviews")),
            ("outbound_.9080_._.reviews.default.svc.cluster.local", Some("reviews")),
            ("inbound-vip|9080|http|reviews.default.svc.cluster.local;", Some("reviews")),
            ("inbound|9080||", None),
            ("inbound|9080|", Some("inbound|9080|")),
            ("PassthroughCluster", None),
            ("local_app", None),
            ("localhost:8080", None),
            ("localhost", Some("localhost")),
            ("spiffe://cluster.local/ns/default/sa/web", Some("web")),
            ("spiffe://cluster.local/ns/default/sa/default", None),
            ("spiffe://cluster.local/ns/default/sa/web,spiffe://other/x", Some("web")),
            ("spiffe://cluster.local", None),
            ("spiffe://1a2b.consul/ns/default/dc/dc1/svc/web", Some("web")),
            ("spiffe://default/web_default_svc_80", Some("web")),
            ("web.default.serviceaccount.identity.linkerd.cluster.local", Some("web")),
            ("default.shop.serviceaccount.identity.linkerd.cluster.local", None),
            ("pay.default.dc1.internal.1a2b.consul", Some("pay")),
            ("v2.pay.default.dc1.internal.1a2b.consul", Some("pay")),
            ("pay.default.part.dc1.internal-v1.1a2b.consul", Some("pay")),
            ("pay.default.part.peer.external.1a2b.consul", Some("pay")),
            ("custom~1a2b~pay.default.dc1.internal.1a2b.consul", Some("pay")),
            ("pay.service.consul", Some("pay")),
            ("web_default_svc_8080", Some("web")),
            ("web_default_svc", Some("web")),
            ("api_v1", Some("api_v1")),
            ("db.example", Some("db.example")),
            ("10.0.0.7", Some("10.0.0.7")),
            ("10.0.0.7:80", Some("10.0.0.7")),
            ("::1", Some("::1")),
            ("a.svc", Some("a.svc")),
            (".x.svc", None),
            ("", None),
            ("-", None),
            (":80", None),
            ("~", None),
        ] {
            assert_eq!(service_of(name), service, "{name}");
        }
    }

    #[test]
    fn workloads() {
        for (pod, workload) in [
            ("reviews-v1-7d4f9c8b6d-x2x9z", "reviews-v1"),
            ("db-0", "db"),
            ("agent-x2x9z", "agent"),
            ("web", "web"),
            ("web-frontend", "web-frontend"),
            ("-x2x9z", "-x2x9z"),
            ("", ""),
        ] {
            assert_eq!(workload_of(pod), workload, "{pod}");
        }
    }
}
