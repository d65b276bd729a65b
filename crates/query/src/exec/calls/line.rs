//! What a line of an access log says of a call.
//!
//! A call passes the proxy of the caller and that of the one that is called, and either, both or none of them writes of it.
//! What a line is worth depends on which of the two wrote it, so that is found first: from the direction that it states, or
//! from the cluster that it sent the request to. A line that says neither is of no call that can be told.

use logkeep_normalize::{failure_in, service_of, workload_of};

/// Attributes by what they are called here, each a text.
macro_rules! attributes {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// What lines say.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Line<'a> { $(pub(super) $field: Option<&'a str>),* }

        /// The attributes of a [`Line`], in the order of [`Line::of`].
        pub(super) const ATTRIBUTES: &[&str] = &[$($name),*];

        impl<'a> Line<'a> {
            /// From the value of each of [`ATTRIBUTES`].
            pub(super) fn of(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
                let mut values = values.into_iter();
                Self { $($field: values.next().flatten()),* }
            }
        }
    };
}

attributes! {
    mesh = "mesh.kind",
    mtls = "mesh.mtls.state",
    service = "service.name",
    derived_from = "logkeep.service.name.derived_from",
    direction = "mesh.direction",
    sent_to = "mesh.upstream.cluster",
    method = "http.request.method",
    status = "http.response.status_code",
    grpc_status = "rpc.grpc.status",
    flags = "mesh.response_flags",
    message = "error.message",
    verdict = "mesh.authz.decision",
    source_service = "mesh.source.service",
    source_pod = "mesh.source.workload",
    source_header = "http.request.header.x-envoy-downstream-service-cluster",
    source_spiffe = "mesh.source.spiffe_id",
    source_identity = "mesh.source.identity",
    destination_service = "mesh.destination.service",
    destination_pod = "mesh.destination.workload",
    destination_spiffe = "mesh.destination.spiffe_id",
    server_name = "tls.client.server_name",
    address = "server.address",
    flow = "flow.l7.type",
    reply = "flow.is_reply",
    flow_source = "flow.source_service.name",
    flow_destination = "flow.destination_service.name",
}

/// How long a call took, in milliseconds.
pub(super) const TOOK: &str = "mesh.duration_ms";

/// gRPC's answers that are errors of a server, by number and by name.
const GRPC_FAILURES: [&str; 12] = [
    "2",
    "unknown",
    "4",
    "deadlineexceeded",
    "12",
    "unimplemented",
    "13",
    "internal",
    "14",
    "unavailable",
    "15",
    "dataloss",
];

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Caller,
    Callee,
}

/// A call, as far as one line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    pub(super) caller: Option<&'a str>,
    pub(super) callee: Option<&'a str>,
    /// The place in [`crate::SeenBy::ALL`].
    pub(super) seen_by: i64,
    pub(super) failed: bool,
    pub(super) mesh: &'a str,
    pub(super) mtls: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn call(&self) -> Option<Call<'a>> {
        let mesh = self.mesh.filter(|mesh| *mesh != "cilium" || self.is_request_of_cilium())?;
        let [source_service, destination_service] =
            [self.source_service, self.destination_service].map(|name| name.and_then(service_of));
        let own = self.own(mesh);
        let side = self.told_side(mesh).or_else(|| {
            // The text of Kuma says both ends and not whose line it is.
            let (_, destination) = (source_service?, destination_service?);
            Some(if Some(destination) == own { Side::Callee } else { Side::Caller })
        })?;
        let own_if = |is: Side| if side == is { own } else { None };
        let (from_whom, to_whom) = self.ends();
        let address = || self.address.and_then(service_of).or_else(|| self.destination_spiffe.and_then(service_of));
        let callee = destination_service.or(own_if(Side::Callee)).or(to_whom);
        Some(Call {
            caller: source_service.or(own_if(Side::Caller)).or(from_whom),
            callee: callee.or_else(|| if side == Side::Caller { address() } else { None }),
            seen_by: if self.is_request() { 1 } else { 3 } + i64::from(side == Side::Callee),
            failed: self.failed(),
            mesh,
            mtls: self.mtls,
        })
    }

    /// Rather than a connection.
    fn is_request(&self) -> bool {
        self.method.is_some() || self.status.is_some()
    }

    /// Hubble has flows of packets and of names too, and two of a request that was let through.
    fn is_request_of_cilium(&self) -> bool {
        let is_one = match self.flow {
            Some("RESPONSE") => true,
            Some("REQUEST") => self.verdict == Some("DROPPED"),
            _ => false,
        };
        is_one && self.is_request()
    }

    /// The service that the proxy stands beside: none for the node proxy and the waypoints of Istio and the agent of Cilium, nor where
    /// the service's name is made of whom it calls.
    fn own(&self, mesh: &str) -> Option<&'a str> {
        let is_of_another = matches!(self.derived_from, Some("none" | "mesh.upstream.cluster"))
            || mesh == "cilium"
            || mesh == "istio" && self.direction.is_some()
            || self.sent_to.is_some_and(|cluster| cluster.starts_with("inbound-vip|"));
        self.service.filter(|_| !is_of_another)
    }

    /// Clusters that lead to the proxy's own service are Istio's, Consul's and Kuma's.
    fn told_side(&self, mesh: &str) -> Option<Side> {
        let is_any = |names: [&str; 2]| {
            self.direction.is_some_and(|direction| names.iter().any(|name| direction.eq_ignore_ascii_case(name)))
        };
        let is_own = |cluster: &str| {
            ["inbound", "InboundPassthrough", "localhost:"].iter().any(|start| cluster.starts_with(start))
                || cluster == "local_app"
        };
        if is_any(["inbound", "ingress"]) || mesh == "linkerd" {
            return Some(Side::Callee);
        }
        if is_any(["outbound", "egress"]) {
            return Some(Side::Caller);
        }
        self.sent_to.map(|cluster| if is_own(cluster) { Side::Callee } else { Side::Caller })
    }

    /// Who calls and who is called, as far as accounts, workloads and clusters tell. A reply goes the other way.
    fn ends(&self) -> (Option<&'a str>, Option<&'a str>) {
        let source = self.flow_source.or_else(|| self.source_pod.map(workload_of));
        let destination = self.flow_destination.or_else(|| self.destination_pod.map(workload_of));
        let (from, to) = if self.reply == Some("true") { (destination, source) } else { (source, destination) };
        let accounts = [self.source_header, self.source_spiffe, self.source_identity];
        let account = || accounts.into_iter().flatten().find_map(service_of);
        let to_whom = self.sent_to.and_then(service_of).or(to).or_else(|| self.server_name.and_then(service_of));
        (from.or_else(account), to_whom)
    }

    fn failed(&self) -> bool {
        let is_server_error = |status: &str| status.parse::<f64>().is_ok_and(|status| status >= 500.0);
        let is_grpc_error = |status: &str| {
            let status = status.replace('_', "").to_ascii_lowercase();
            GRPC_FAILURES.contains(&status.as_str())
        };
        self.status.is_some_and(is_server_error)
            || self.flags.is_some_and(|flags| failure_in(flags).is_some())
            || self.status.is_none() && self.message.is_some()
            || matches!(self.verdict, Some("DROPPED" | "ERROR"))
            || self.grpc_status.is_some_and(is_grpc_error)
    }
}
