//! What shippers and agents call what OpenTelemetry has names for: Kubernetes metadata as Fluent Bit, Filebeat (ECS), Promtail,
//! Datadog and the OpenTelemetry collector write it, and the fields of ECS and of Datadog.
//!
//! A part of the table in `semconv.rs`, apart because it is about who carried a record and not about who wrote it. Where two
//! names of one record say different things, the first keeps the standard name and the other its own.

#[cfg(test)]
mod tests;

use crate::semconv::Rule::{As, Int, Lift, LiftName};
use crate::semconv::{
    CLIENT_ADDRESS, CLIENT_PORT, CONTAINER_NAME, Entry, HTTP_METHOD, HTTP_STATUS, POD_NAME, PROTOCOL_NAME,
    PROTOCOL_VERSION, SERVER_ADDRESS, SERVER_PORT, TLS_VERSION, URL_PATH, URL_QUERY, URL_SCHEME, general,
};

pub(crate) const NAMESPACE_NAME: &str = "k8s.namespace.name";
pub(crate) const NODE_NAME: &str = "k8s.node.name";
const CLUSTER_NAME: &str = "k8s.cluster.name";
const DEPLOYMENT_NAME: &str = "k8s.deployment.name";
const APP_LABEL: &str = "k8s.pod.label.app.kubernetes.io/name";
const USER_AGENT: &str = "user_agent.original";
const REQUEST_BODY_SIZE: &str = "http.request.body.size";
const RESPONSE_BODY_SIZE: &str = "http.response.body.size";
const REFERER: &str = "http.request.header.referer";
const STACKTRACE: &str = "exception.stacktrace";

/// What stands in front of labels and annotations of a pod, and what of ours.
pub(crate) static PREFIXES: [(&str, &str); 2] =
    [("kubernetes.labels.", "k8s.pod.label."), ("kubernetes.annotations.", "k8s.pod.annotation.")];

/// The keys of shippers.
pub(crate) static SHIPPERS: &[Entry] = &[
    // OpenTelemetry, whose names these are.
    general("k8s.cluster.name", Lift(CLUSTER_NAME)),
    general("k8s.namespace.name", Lift(NAMESPACE_NAME)),
    general("k8s.pod.name", Lift(POD_NAME)),
    general("k8s.pod.uid", Lift("k8s.pod.uid")),
    general("k8s.pod.ip", Lift("k8s.pod.ip")),
    general("k8s.container.name", Lift(CONTAINER_NAME)),
    general("k8s.node.name", Lift(NODE_NAME)),
    general("k8s.deployment.name", Lift(DEPLOYMENT_NAME)),
    general("k8s.replicaset.name", Lift("k8s.replicaset.name")),
    general("k8s.statefulset.name", Lift("k8s.statefulset.name")),
    general("k8s.daemonset.name", Lift("k8s.daemonset.name")),
    general("k8s.job.name", Lift("k8s.job.name")),
    general("k8s.cronjob.name", Lift("k8s.cronjob.name")),
    // Fluent Bit and Fluentd: the kubernetes filter.
    general("kubernetes.pod_name", Lift(POD_NAME)),
    general("kubernetes.pod_id", Lift("k8s.pod.uid")),
    general("kubernetes.pod_ip", Lift("k8s.pod.ip")),
    general("kubernetes.namespace_name", Lift(NAMESPACE_NAME)),
    general("kubernetes.container_name", Lift(CONTAINER_NAME)),
    general("kubernetes.container_image", Lift("container.image.name")),
    general("kubernetes.docker_id", Lift("container.id")),
    general("kubernetes.host", Lift(NODE_NAME)),
    // Filebeat: add_kubernetes_metadata. Its labels have `_` where Kubernetes has dots.
    general("kubernetes.pod.name", Lift(POD_NAME)),
    general("kubernetes.pod.uid", Lift("k8s.pod.uid")),
    general("kubernetes.pod.ip", Lift("k8s.pod.ip")),
    general("kubernetes.namespace", Lift(NAMESPACE_NAME)),
    general("kubernetes.namespace_uid", Lift("k8s.namespace.uid")),
    general("kubernetes.container.name", Lift(CONTAINER_NAME)),
    general("kubernetes.container.id", Lift("container.id")),
    general("kubernetes.container.image", Lift("container.image.name")),
    general("kubernetes.node.name", Lift(NODE_NAME)),
    general("kubernetes.node.uid", Lift("k8s.node.uid")),
    general("kubernetes.deployment.name", Lift(DEPLOYMENT_NAME)),
    general("kubernetes.replicaset.name", Lift("k8s.replicaset.name")),
    general("kubernetes.statefulset.name", Lift("k8s.statefulset.name")),
    general("kubernetes.daemonset.name", Lift("k8s.daemonset.name")),
    general("kubernetes.job.name", Lift("k8s.job.name")),
    general("kubernetes.cronjob.name", Lift("k8s.cronjob.name")),
    general("kubernetes.labels.app_kubernetes_io/name", Lift(APP_LABEL)),
    // Labels that name the service, of both.
    general("kubernetes.labels.app.kubernetes.io/name", Lift(APP_LABEL)),
    general("kubernetes.labels.app", Lift("k8s.pod.label.app")),
    general("kubernetes.labels.k8s-app", Lift("k8s.pod.label.k8s-app")),
    // Promtail and whoever writes labels by hand.
    general("namespace", LiftName(NAMESPACE_NAME)),
    general("namespace_name", LiftName(NAMESPACE_NAME)),
    general("pod", LiftName(POD_NAME)),
    general("pod_name", LiftName(POD_NAME)),
    general("podName", LiftName(POD_NAME)),
    general("container", LiftName(CONTAINER_NAME)),
    general("container_name", LiftName(CONTAINER_NAME)),
    general("node", LiftName(NODE_NAME)),
    general("node_name", LiftName(NODE_NAME)),
    general("nodename", LiftName(NODE_NAME)),
    // Datadog: tags of its Agent.
    general("kube_cluster_name", Lift(CLUSTER_NAME)),
    general("kube_namespace", Lift(NAMESPACE_NAME)),
    general("kube_container_name", Lift(CONTAINER_NAME)),
    general("kube_node", Lift(NODE_NAME)),
    general("kube_deployment", Lift(DEPLOYMENT_NAME)),
    general("kube_replica_set", Lift("k8s.replicaset.name")),
    general("kube_stateful_set", Lift("k8s.statefulset.name")),
    general("kube_daemon_set", Lift("k8s.daemonset.name")),
    general("kube_job", Lift("k8s.job.name")),
    general("kube_cronjob", Lift("k8s.cronjob.name")),
    general("kube_app_name", Lift(APP_LABEL)),
    general("container_id", Lift("container.id")),
    general("image_name", Lift("container.image.name")),
    // ECS, where OpenTelemetry has another name.
    general("host.architecture", Lift("host.arch")),
    general("service.node.name", Lift("service.instance.id")),
    general("client.ip", As(CLIENT_ADDRESS)),
    general("server.ip", As(SERVER_ADDRESS)),
    general("source.ip", As("source.address")),
    general("destination.ip", As("destination.address")),
    general("http.request.bytes", Int("http.request.size")),
    general("http.request.body.bytes", Int(REQUEST_BODY_SIZE)),
    general("http.request.referrer", As(REFERER)),
    general("http.response.bytes", Int("http.response.size")),
    general("http.response.body.bytes", Int(RESPONSE_BODY_SIZE)),
    general("http.version", As(PROTOCOL_VERSION)),
    general("network.protocol", As(PROTOCOL_NAME)),
    general("tls.version", As(TLS_VERSION)),
    general("error.stack_trace", As(STACKTRACE)),
    general("process.thread.id", Int("thread.id")),
    general("process.thread.name", As("thread.name")),
    // Datadog, in logs and in spans. Some names were OpenTelemetry's once.
    general("http.method", As(HTTP_METHOD)),
    general("http.status_code", Int(HTTP_STATUS)),
    general("http.url", As("url.full")),
    general("http.url_details.host", As(SERVER_ADDRESS)),
    general("http.url_details.path", As(URL_PATH)),
    general("http.url_details.port", Int(SERVER_PORT)),
    general("http.url_details.queryString", As(URL_QUERY)),
    general("http.url_details.scheme", As(URL_SCHEME)),
    general("http.useragent", As(USER_AGENT)),
    general("http.referer", As(REFERER)),
    general("http.client_ip", As(CLIENT_ADDRESS)),
    general("http.request_content_length", Int(REQUEST_BODY_SIZE)),
    general("http.response_content_length", Int(RESPONSE_BODY_SIZE)),
    general("network.client.ip", As(CLIENT_ADDRESS)),
    general("network.client.port", Int(CLIENT_PORT)),
    general("network.destination.ip", As("destination.address")),
    general("network.destination.port", Int("destination.port")),
    general("out.host", As(SERVER_ADDRESS)),
    general("out.port", Int(SERVER_PORT)),
    general("db.instance", As("db.namespace")),
    general("db.operation", As("db.operation.name")),
    general("db.statement", As("db.query.text")),
    general("error.kind", As("error.type")),
    general("error.msg", As("error.message")),
    general("error.stack", As(STACKTRACE)),
    general("logger.method_name", As("code.function.name")),
    general("logger.thread_name", As("thread.name")),
    general("usr.email", As("user.email")),
    general("usr.id", As("user.id")),
    general("usr.name", As("user.name")),
];

/// Whether a value is what Kubernetes calls a name (RFC 1123, subdomain) and no mere number.
pub(crate) fn is_name(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let at_ends = |byte: &u8| byte.is_ascii_alphanumeric();
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && bytes.first().is_some_and(at_ends)
        && bytes.last().is_some_and(at_ends)
        && bytes.iter().all(|byte| inner(*byte))
        && !bytes.iter().all(u8::is_ascii_digit)
}
