use logkeep_record::{Attributes, Record, Resource, Value};

use super::is_name;
use crate::{Arrival, Normalizer};

/// A record as a decoder gives it: a document, or a line with labels and attributes beside it.
struct Sent {
    protocol: &'static str,
    labels: &'static [(&'static str, &'static str)],
    attributes: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const FLUENT_BIT: Sent = Sent {
    protocol: "forward",
    labels: &[],
    attributes: &[],
    body: r#"{"log":"no stock\n","stream":"stderr","kubernetes":{"pod_name":"cart-7d4f9c8b6d-x2x9z","namespace_name":"shop",
        "pod_id":"0f3c","pod_ip":"10.0.0.7","host":"node-1","container_name":"cart","docker_id":"8f2a",
        "container_image":"registry/cart:1.2","labels":{"app":"cart","tier.example.com/kind":"web"},
        "annotations":{"example.com/owner":"team-a"}}}"#,
};
const FILEBEAT: Sent = Sent {
    protocol: "beats",
    labels: &[],
    attributes: &[],
    body: r#"{"@timestamp":"2026-11-20T10:00:00Z","message":"no stock","stream":"stderr","kubernetes":{"pod":{
        "name":"cart-7d4f9c8b6d-x2x9z","uid":"0f3c","ip":"10.0.0.7"},"namespace":"shop","node":{"name":"node-1"},
        "container":{"name":"cart"},"deployment":{"name":"cart"},"replicaset":{"name":"cart-7d4f9c8b6d"},
        "labels":{"app":"cart","app_kubernetes_io/name":"cart"}},"container":{"id":"8f2a","image":{"name":"registry/cart:1.2"}}}"#,
};
const PROMTAIL: Sent = Sent {
    protocol: "loki",
    labels: &[
        ("namespace", "shop"),
        ("pod", "cart-7d4f9c8b6d-x2x9z"),
        ("container", "cart"),
        ("node_name", "node-1"),
        ("app", "cart"),
        ("job", "shop/cart"),
    ],
    attributes: &[],
    body: "no stock",
};
const DATADOG: Sent = Sent {
    protocol: "datadog",
    labels: &[],
    attributes: &[
        ("kube_namespace", "shop"),
        ("pod_name", "cart-7d4f9c8b6d-x2x9z"),
        ("kube_container_name", "cart"),
        ("kube_node", "node-1"),
        ("kube_deployment", "cart"),
        ("container_id", "8f2a"),
    ],
    body: r#"{"message":"no stock","service":"cart","ddtags":"kube_namespace:shop,pod_name:cart-7d4f9c8b6d-x2x9z"}"#,
};
const COLLECTOR: Sent = Sent {
    protocol: "otlp",
    labels: &[
        ("k8s.namespace.name", "shop"),
        ("k8s.pod.name", "cart-7d4f9c8b6d-x2x9z"),
        ("k8s.container.name", "cart"),
        ("k8s.node.name", "node-1"),
        ("k8s.deployment.name", "cart"),
    ],
    attributes: &[],
    body: "no stock",
};

fn pairs(list: &'static [(&'static str, &'static str)]) -> Attributes<'static> {
    list.iter().map(|(key, value)| ((*key).into(), Value::str(value))).collect()
}

fn normalized(sent: &Sent) -> Record<'static> {
    let mut record = Record::new(7, Value::str(sent.body), Resource::from_attributes(pairs(sent.labels)));
    record.attributes = pairs(sent.attributes);
    Normalizer::new(Arrival { protocol: sent.protocol, source: "10.0.0.9".into() }).normalize(record).into_owned()
}

fn resource<'r>(record: &'r Record<'_>, name: &str) -> Option<&'r str> {
    let mut found = record.resource.attributes().iter().filter(|(key, _)| key == name);
    let value = found.next().and_then(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "`{name}` is there twice");
    value
}

#[test]
fn all_shippers_say_the_same_of_a_pod() {
    for sent in [FLUENT_BIT, FILEBEAT, PROMTAIL, DATADOG, COLLECTOR] {
        let record = normalized(&sent);
        for (name, value) in [
            ("k8s.namespace.name", "shop"),
            ("k8s.pod.name", "cart-7d4f9c8b6d-x2x9z"),
            ("k8s.container.name", "cart"),
            ("k8s.node.name", "node-1"),
            ("service.name", "cart"),
        ] {
            assert_eq!(resource(&record, name), Some(value), "{} {name}", sent.protocol);
        }
        assert_eq!(record.body.as_str(), Some("no stock"), "{}", sent.protocol);
    }
}

#[test]
fn what_only_some_shippers_know() {
    let fluent_bit = normalized(&FLUENT_BIT);
    let filebeat = normalized(&FILEBEAT);
    for (record, name, value) in [
        (&fluent_bit, "k8s.pod.uid", "0f3c"),
        (&fluent_bit, "k8s.pod.ip", "10.0.0.7"),
        (&fluent_bit, "container.id", "8f2a"),
        (&fluent_bit, "container.image.name", "registry/cart:1.2"),
        (&fluent_bit, "k8s.pod.label.app", "cart"),
        (&fluent_bit, "k8s.pod.label.tier.example.com/kind", "web"),
        (&fluent_bit, "k8s.pod.annotation.example.com/owner", "team-a"),
        (&filebeat, "k8s.pod.uid", "0f3c"),
        (&filebeat, "k8s.pod.ip", "10.0.0.7"),
        (&filebeat, "container.id", "8f2a"),
        (&filebeat, "container.image.name", "registry/cart:1.2"),
        (&filebeat, "k8s.pod.label.app", "cart"),
        (&filebeat, "k8s.pod.label.app.kubernetes.io/name", "cart"),
        (&filebeat, "k8s.replicaset.name", "cart-7d4f9c8b6d"),
        (&filebeat, "k8s.deployment.name", "cart"),
        (&normalized(&DATADOG), "k8s.deployment.name", "cart"),
        (&normalized(&COLLECTOR), "k8s.deployment.name", "cart"),
    ] {
        assert_eq!(resource(record, name), Some(value), "{name}");
    }
}

#[test]
fn what_winto_sent_is_still_there() {
    for sent in [FLUENT_BIT, FILEBEAT, DATADOG] {
        assert_eq!(normalized(&sent).original.as_deref(), Some(sent.body), "{}", sent.protocol);
    }
}

/// The attributes of a document, in one line.
fn check(protocol: &'static str, body: &'static str, expected: &str) {
    let record = normalized(&Sent { protocol, labels: &[], attributes: &[], body });
    let mut out = String::new();
    logkeep_record::json::write(&Value::Map(record.attributes), &mut out);
    if let Some(id) = record.trace_id {
        out += &format!(" {id}");
    }
    assert_eq!(out, expected, "{body}");
}

#[test]
fn names_of_ecs_and_datadog() {
    check(
        "beats",
        r#"{"message":"x","ecs":{"version":"8.11"},"http":{"request":{"method":"GET","body":{"bytes":12}},"version":"1.1",
        "response":{"status_code":500}},"source":{"ip":"10.0.0.1","port":4},"url":{"path":"/a"},
        "trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"error":{"stack_trace":"at a"},"log":{"level":"error"}}"#,
        concat!(
            r#"{"ecs.version":"8.11","http.request.method":"GET","http.response.status_code":500,"source.port":4,"#,
            r#""url.path":"/a","http.request.body.size":12,"network.protocol.version":"1.1","source.address":"10.0.0.1","#,
            r#""exception.stacktrace":"at a"} 4bf92f3577b34da6a3ce929d0e0e4736"#
        ),
    );
    check(
        "datadog",
        r#"{"message":"x","http":{"status_code":"500","method":"GET","url":"http://a/b?c","url_details":{"path":"/b",
        "queryString":{"c":""}},"useragent":"curl"},"network":{"client":{"ip":"10.0.0.1"}},"usr":{"id":"7"},
        "error":{"kind":"E","stack":"at a"},"dd":{"trace_id":"255"}}"#,
        concat!(
            r#"{"http.url_details.queryString.c":"","http.response.status_code":500,"http.request.method":"GET","#,
            r#""url.full":"http://a/b?c","url.path":"/b","user_agent.original":"curl","client.address":"10.0.0.1","#,
            r#""user.id":"7","error.type":"E","exception.stacktrace":"at a"} 000000000000000000000000000000ff"#
        ),
    );
    // Ids as newer tracers write them.
    check(
        "datadog",
        r#"{"message":"x","dd.trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
        "{} 4bf92f3577b34da6a3ce929d0e0e4736",
    );
}

#[test]
fn where_two_names_differ_both_stay() {
    check(
        "ndjson",
        r#"{"http.status_code":500,"http.response.status_code":500,"http.method":"GET","http.request.method":"PUT"}"#,
        r#"{"http.response.status_code":500,"http.request.method":"PUT","http.method":"GET"}"#,
    );
    check(
        "ndjson",
        r#"{"http.client_ip":"10.0.0.1","network.client.ip":"10.0.0.2","client.ip":"10.0.0.1","out.port":"x"}"#,
        r#"{"out.port":"x","client.address":"10.0.0.1","network.client.ip":"10.0.0.2"}"#,
    );
    let body = r#"{"kubernetes":{"pod_name":"a-1"},"k8s.pod.name":"b-1","pod":"a-1","message":"x"}"#;
    check("ndjson", body, r#"{"k8s.pod.name":"b-1"}"#);
    let record = normalized(&Sent { protocol: "ndjson", labels: &[], attributes: &[], body });
    assert_eq!(resource(&record, "k8s.pod.name"), Some("a-1"));
}

#[test]
fn labels_are_kubernetes_only_where_they_look_so() {
    for (text, is) in [
        ("cart-7d4f9c8b6d-x2x9z", true),
        ("kube-system", true),
        ("a.b", true),
        ("", false),
        ("/cart", false),
        ("App\\Models", false),
        ("Cart", false),
        ("-a", false),
        ("7", false),
    ] {
        assert_eq!(is_name(text), is, "{text}");
    }
    check(
        "ndjson",
        r#"{"namespace":"App\\Models","node":"7","message":"x"}"#,
        r#"{"namespace":"App\\Models","node":"7"}"#,
    );
    let labels = &[("container", "/cart"), ("namespace", "Shop Floor")];
    let record = normalized(&Sent { protocol: "loki", labels, attributes: &[], body: "x" });
    assert_eq!(resource(&record, "container.name"), Some("/cart"));
    assert_eq!((resource(&record, "namespace"), resource(&record, "k8s.namespace.name")), (Some("Shop Floor"), None));
}

#[test]
fn a_key_a_thousand_times_is_still_one_record() {
    let body: &'static str =
        Box::leak(format!("{{{}\"message\":\"x\"}}", "\"http.method\":\"GET\",".repeat(10_000)).into());
    let record = normalized(&Sent { protocol: "ndjson", labels: &[], attributes: &[], body });
    let named = |name: &str| record.attributes.iter().filter(|(key, _)| key == name).count();
    assert_eq!((named("http.request.method"), named("http.method")), (1, 1));
}
