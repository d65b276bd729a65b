//! What the fields of an access log say together: which mesh, what kind of connection, how bad it was.

use std::borrow::Cow;

use logkeep_record::Severity;

use crate::family::Family;

/// Facts gathered over the fields of one access-log record.
#[derive(Default)]
pub(crate) struct Mesh<'a> {
    /// The status as written; 0 is "none was sent".
    pub(crate) status: Option<i64>,
    /// A response flag says that the request failed.
    pub(crate) failed: bool,
    /// The line names the peer by its certificate.
    pub(crate) has_identity: bool,
    /// The line says that the peer's connection had TLS.
    pub(crate) has_tls: bool,
    policy: Option<&'static str>,
    kind: Option<&'static str>,
    /// The service a proxy's upstream cluster leads to, to name a record nothing else names.
    pub(crate) upstream_service: Option<Cow<'a, str>>,
}

/// Envoy's flags that leave a request unanswered or answered by the proxy itself because something is broken.
/// `DC` (the client hung up), `RL` (rate limit) and the like are not.
const FAILURES: [&str; 19] = [
    "UF", "UH", "UT", "UO", "UC", "UR", "URX", "UPE", "NR", "NC", "LR", "LH", "DT", "DPE", "FI", "SI", "OM", "DF",
    "UMSDR",
];

/// The first of the comma-joined flags of Envoy that says that a request failed.
pub fn failure_in(flags: &str) -> Option<&str> {
    flags.split(',').find(|flag| FAILURES.contains(flag))
}

impl<'a> Mesh<'a> {
    /// Takes note of an upstream cluster; gives the service in it where it has Istio's form
    /// (`outbound|80|subset|reviews.default.svc.cluster.local`).
    pub(crate) fn cluster(&mut self, text: &Cow<'a, str>) -> Option<Cow<'a, str>> {
        let is_outbound = text.starts_with("outbound|") || text.starts_with("outbound_.");
        if is_outbound || text.starts_with("inbound|") {
            self.kind = Some("istio");
        } else if text.contains(".consul") {
            self.kind = Some("consul");
        } else if matches!(text.as_ref(), "PassthroughCluster" | "BlackHoleCluster" | "InboundPassthroughCluster") {
            self.kind = Some("istio");
        }
        if !is_outbound {
            return None;
        }
        let at = text.rfind('|')? + 1;
        let service = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[at..]),
            Cow::Owned(text) => Cow::Owned(text[at..].to_owned()),
        };
        if service.is_empty() {
            return None;
        }
        self.upstream_service = Some(service.clone());
        Some(service)
    }

    /// Takes note of a policy the line states: Istio's `mutual_tls` or `none`, Cilium's `SPIRE` or `DISABLED`.
    pub(crate) fn policy(&mut self, text: &str) {
        self.policy = match text {
            "mutual_tls" | "SPIRE" => Some("claimed"),
            "none" => Some("plaintext"),
            _ => None,
        };
    }

    /// Takes note that Kuma's own fields were there.
    pub(crate) fn is_kuma(&mut self) {
        self.kind = Some("kuma");
    }

    /// `mesh.kind`.
    pub(crate) fn kind(&self, family: Family) -> Option<&'static str> {
        match family {
            Family::Envoy => Some(self.kind.unwrap_or("envoy")),
            Family::Linkerd => Some("linkerd"),
            Family::Ztunnel => Some("istio"),
            Family::Hubble => Some("cilium"),
            Family::App | Family::WebServer => None,
        }
    }

    /// `mesh.mtls.state`. A line is only ever a claim: proof takes more than a text anyone could write.
    pub(crate) fn mtls_state(&self) -> Option<&'static str> {
        match self.policy {
            _ if self.has_identity => Some("claimed"),
            Some(state) => Some(state),
            None => self.has_tls.then_some("unproven"),
        }
    }

    /// From status and flags, for a record that has no level of its own.
    pub(crate) fn severity(&self) -> Severity {
        match self.status {
            Some(500..) => Severity::ERROR,
            Some(400..) => Severity::WARN,
            Some(1..) => Severity::INFO,
            _ if self.failed => Severity::ERROR,
            _ => Severity::INFO,
        }
    }
}
