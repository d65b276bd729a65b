"""The fields of the bench's lines, read from each line by hand in ClickHouse's SQL.

What `docs/normalization.md` says of each, said a second time: the line is all that ClickHouse gets.
"""

SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}


def document(key, kind="String"):
    return f"JSONExtract(raw, '{key}', 'Nullable({kind})')"


def inner(*keys, kind="String"):
    return f"JSONExtract(raw, {', '.join(repr(key) for key in keys)}, 'Nullable({kind})')"


def whole(text):
    return f"toInt64OrNull({text})"


def before(text, sign):
    return f"if(position({text}, '{sign}') > 0, substring({text}, 1, position({text}, '{sign}') - 1), {text})"


def behind(text, sign):
    return f"if(position({text}, '{sign}') > 0, substring({text}, position({text}, '{sign}') + 1), null)"


PEER = f"coalesce({document('downstream_remote_address')}, {document('client.addr')})"
HOST = f"coalesce({document('authority')}, {document('host')})"
TARGET = f"coalesce({document('path')}, {document('uri')})"
PROTOCOL = f"coalesce({document('protocol')}, if({document('uri')} is not null, {document('version')}, null))"
LEVELS = ", ".join(f"{document('level')} = '{name}', {number}" for name, number in SEVERITIES.items())

# By Logkeep's name: what kind of value it is, and how to get it from the line that was sent.
FIELDS = {
    "body": ("prose", document("message")),
    "time": ("time", f"parseDateTime64BestEffort({document('@timestamp')}, 9, 'UTC')"),
    "severity": ("severity", f"multiIf({LEVELS}, 0)"),
    "severity_number": ("number", f"multiIf({LEVELS}, null)"),
    "trace_id": ("text", document("trace_id")),
    "span_id": ("text", document("span_id")),
    "service.name": ("text", document("service")),
    "service.version": ("text", f"if({document('uri')} is null, {document('version')}, null)"),
    "k8s.cluster.name": ("text", document("cluster")),
    "k8s.namespace.name": ("text", document("namespace")),
    "k8s.pod.name": ("text", document("pod")),
    "k8s.node.name": ("text", document("node")),
    "logger": ("text", document("logger")),
    "log.iostream": ("text", document("stream")),
    "http.request.method": ("text", document("method")),
    "http.response.status_code": (
        "number",
        f"coalesce(nullIf({document('response_code', 'Int64')}, 0), {document('status', 'Int64')})",
    ),
    "http.request.body.size": (
        "number",
        f"coalesce({document('bytes_received', 'Int64')}, {whole(document('request_bytes'))})",
    ),
    "http.response.body.size": (
        "number",
        f"coalesce({document('bytes_sent', 'Int64')}, {whole(document('response_bytes'))})",
    ),
    "url.path": ("text", before(TARGET, "?")),
    "url.query": ("text", behind(TARGET, "?")),
    "user_agent.original": ("text", document("user_agent")),
    "network.protocol.version": ("text", f"replaceOne(substring({PROTOCOL}, 6), '2.0', '2')"),
    "client.address": ("text", before(PEER, ":")),
    "client.port": ("number", whole(behind(PEER, ":"))),
    "server.address": ("text", before(HOST, ":")),
    "server.port": ("number", whole(behind(HOST, ":"))),
    "tls.client.server_name": ("text", document("requested_server_name")),
    "mesh.duration_ms": (
        "number",
        f"coalesce({document('duration', 'Float64')}, toFloat64OrNull({document('total_ns')}) / 1000000)",
    ),
    "mesh.processing.duration_ms": ("number", f"toFloat64OrNull({document('processing_ns')}) / 1000000"),
    "mesh.upstream.duration_ms": ("number", f"toFloat64OrNull({document('upstream_service_time')})"),
    "mesh.response_flags": ("text", f"nullIf({document('response_flags')}, '-')"),
    "mesh.response_code_details": ("text", document("response_code_details")),
    "mesh.upstream.cluster": ("text", document("upstream_cluster")),
    "mesh.upstream.transport_failure_reason": ("text", document("upstream_transport_failure_reason")),
    "mesh.source.identity": ("text", f"nullIf({document('client.id')}, '-')"),
    "mesh.request_id": ("text", document("request_id")),
    "verb": ("text", document("verb")),
    "requestURI": ("text", document("requestURI")),
    "stageTimestamp": ("text", document("stageTimestamp")),
    "user.username": ("text", inner("user", "username")),
    "objectRef.resource": ("text", inner("objectRef", "resource")),
    "objectRef.apiGroup": ("text", inner("objectRef", "apiGroup")),
    "responseStatus.code": ("number", inner("responseStatus", "code", kind="Int64")),
    "annotations.authorization.k8s.io/reason": ("text", inner("annotations", "authorization.k8s.io/reason")),
}
