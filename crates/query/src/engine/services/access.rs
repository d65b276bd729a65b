//! Calls as the access logs of meshes tell them, in SQL.
//!
//! A call passes the proxy of the caller and that of the one that is called, and either, both or none of them writes of it.
//! What a line is worth depends on which of the two wrote it, so that is found first: from the direction that it states, or
//! from the cluster that it sent the request to. A line that says neither is of no call that can be told.

use super::quoted;
use crate::exec::table::LogsTable;

/// Attributes, and what they are called below.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("mesh.kind", "mesh"),
    ("mesh.mtls.state", "mtls"),
    ("service.name", "service"),
    ("logkeep.service.name.derived_from", "derived_from"),
    ("mesh.direction", "direction"),
    ("mesh.upstream.cluster", "sent_to"),
    ("http.request.method", "method"),
    ("http.response.status_code", "status"),
    ("rpc.grpc.status", "grpc_status"),
    ("mesh.response_flags", "flags"),
    ("error.message", "message"),
    ("mesh.authz.decision", "verdict"),
    ("mesh.duration_ms", "took"),
    ("mesh.source.service", "source_service"),
    ("mesh.source.workload", "source_pod"),
    ("http.request.header.x-envoy-downstream-service-cluster", "source_header"),
    ("mesh.source.spiffe_id", "source_spiffe"),
    ("mesh.source.identity", "source_identity"),
    ("mesh.destination.service", "destination_service"),
    ("mesh.destination.workload", "destination_pod"),
    ("mesh.destination.spiffe_id", "destination_spiffe"),
    ("tls.client.server_name", "server_name"),
    ("server.address", "address"),
    ("flow.l7.type", "flow"),
    ("flow.is_reply", "reply"),
    ("flow.source_service.name", "flow_source"),
    ("flow.destination_service.name", "flow_destination"),
];

/// Hubble has flows of packets and of names too, and two of a request that was let through. A reply goes the other way.
const LINES: &str = "select time, mesh, mtls, service, derived_from, lower(direction) as direction, sent_to, \
    method is null and status is null as is_connection, try_cast(took as double) as duration_ms, \
    mesh_service(source_service) as source_service, mesh_service(destination_service) as destination_service, \
    coalesce(flow_source, mesh_workload(source_pod)) as source, \
    coalesce(flow_destination, mesh_workload(destination_pod)) as destination, coalesce(reply, '') = 'true' as is_reply, \
    coalesce(mesh_service(source_header), mesh_service(source_spiffe), mesh_service(source_identity)) as source_account, \
    mesh_service(server_name) as server_name, \
    coalesce(mesh_service(address), mesh_service(destination_spiffe)) as address, \
    coalesce(try_cast(status as bigint) >= 500, false) or mesh_failure(flags) is not null \
    or status is null and message is not null or coalesce(verdict in ('DROPPED', 'ERROR'), false) \
    or coalesce(lower(replace(grpc_status, '_', '')) in ('2', 'unknown', '4', 'deadlineexceeded', '12', 'unimplemented', \
    '13', 'internal', '14', 'unavailable', '15', 'dataloss'), false) as failed \
    from attributes where mesh is not null and (mesh <> 'cilium' or (method is not null or status is not null) \
    and (flow = 'RESPONSE' or flow = 'REQUEST' and verdict = 'DROPPED'))";

/// `own` is the service that the proxy stands beside: none for the node proxy and the waypoints of Istio and the agent of
/// Cilium, nor where the service's name is made of whom it calls. Clusters that lead to it are Istio's, Consul's and Kuma's.
const SIDES: &str = "select *, \
    case when derived_from in ('none', 'mesh.upstream.cluster') or mesh = 'cilium' \
    or mesh = 'istio' and direction is not null or sent_to like 'inbound-vip|%' then null else service end as own, \
    case when direction in ('inbound', 'ingress') or mesh = 'linkerd' then 'callee' \
    when direction in ('outbound', 'egress') then 'caller' \
    when sent_to like 'inbound%' or sent_to like 'InboundPassthrough%' or sent_to like 'localhost:%' \
    or sent_to = 'local_app' then 'callee' when sent_to is not null then 'caller' end as told_side \
    from lines";

/// The text of Kuma says both ends and not whose line it is.
const ENDS: &str = "select *, coalesce(told_side, case when source_service is null or destination_service is null then null \
    when destination_service = own then 'callee' else 'caller' end) as side, \
    coalesce(case when is_reply then destination else source end, source_account) as from_whom, \
    coalesce(mesh_service(sent_to), case when is_reply then source else destination end, server_name) as to_whom \
    from sides";

const CALLS: &str = "select coalesce(source_service, case when side = 'caller' then own end, from_whom) as caller, \
    coalesce(destination_service, case when side = 'callee' then own end, to_whom, \
    case when side = 'caller' then address end) as callee, \
    cast(case when is_connection then 3 else 1 end + case when side = 'callee' then 1 else 0 end as bigint) as seen_by, \
    failed, duration_ms, mesh, mtls, time from ends where side is not null";

/// Expressions for `with`, the last of which, `logged`, has a row for each call that a record of the table `logs` is of:
/// `caller`, `callee`, `seen_by` (the place in [`super::SeenBy::ALL`]), `failed`, `duration_ms`, `mesh`, `mtls`, `time`. `None`
/// if none can be.
pub(super) fn calls(logs: &LogsTable) -> Option<String> {
    if !logs.has(ATTRIBUTES[0].0) {
        return None;
    }
    let columns: Vec<String> =
        ATTRIBUTES.iter().map(|(name, short)| format!("{} as {short}", quoted(logs, name))).collect();
    Some(format!(
        "attributes as (select time, {} from logs), lines as ({LINES}), sides as ({SIDES}), ends as ({ENDS}), logged as ({CALLS})",
        columns.join(", ")
    ))
}
