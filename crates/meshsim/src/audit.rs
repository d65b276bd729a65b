//! What people and controllers do on the Kubernetes API.

use crate::event::Audit;
use crate::topology::{Mesh, Pod};
use crate::{Rng, Service};

/// Verb, API group, resource, user, group, user agent, share.
type Act = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, u64);

const CONTROLLERS: &str = "system:serviceaccounts";
const PEOPLE: &str = "engineers";
const ACTS: [Act; 8] = [
    ("get", "", "configmaps", "system:serviceaccount:istio-system:istiod", CONTROLLERS, "pilot-discovery/1.28.0", 20),
    ("list", "", "pods", "system:serviceaccount:monitoring:prometheus", CONTROLLERS, "Prometheus/3.7.3", 25),
    (
        "watch",
        "discovery.k8s.io",
        "endpointslices",
        "system:node:eu-1-node-4",
        "system:nodes",
        "kube-proxy/v1.34.2",
        25,
    ),
    ("update", "coordination.k8s.io", "leases", "system:kube-scheduler", CONTROLLERS, "kube-scheduler/v1.34.2", 20),
    (
        "get",
        "",
        "secrets",
        "system:serviceaccount:shop:deployer",
        CONTROLLERS,
        "argocd-application-controller/v3.2.0",
        5,
    ),
    ("get", "apps", "deployments", "maria@example.com", PEOPLE, "kubectl/v1.34.1 (linux/amd64)", 3),
    ("create", "", "pods/exec", "jonas@example.com", PEOPLE, "kubectl/v1.34.1 (darwin/arm64)", 1),
    ("delete", "", "pods", "maria@example.com", PEOPLE, "kubectl/v1.34.1 (linux/amd64)", 1),
];

/// An act of any day.
pub(crate) fn everyday(mesh: &Mesh, rng: &mut Rng) -> Audit {
    let mut left = rng.below(ACTS.iter().map(|act| act.6).sum());
    let mut chosen = &ACTS[0];
    for act in &ACTS {
        chosen = act;
        if left < act.6 {
            break;
        }
        left -= act.6;
    }
    let (verb, api_group, resource, user, group, user_agent, _) = *chosen;
    let service: &Service = rng.pick(&mesh.services);
    let pod = rng.pick(&service.pods);
    let refused = group == PEOPLE && rng.chance(80_000);
    let name = if resource.starts_with("pods") { pod.name.clone() } else { pod.service.clone() };
    Audit {
        audit_id: rng.next_u128(),
        verb,
        user: user.to_owned(),
        group,
        source_ip: [10, 0, rng.below(4) as u8, rng.between(2, 250) as u8],
        user_agent,
        api_group,
        resource,
        namespace: pod.namespace.to_owned(),
        name,
        status: match (refused, verb) {
            (true, _) => 403,
            (false, "create") => 201,
            (false, _) => 200,
        },
        reason: if refused {
            String::new()
        } else {
            format!("RBAC: allowed by ClusterRoleBinding \"{group}-{resource}\"")
        },
        duration_us: rng.latency(3_000),
    }
}

/// The pipeline brings out a new version of the service `pod` runs.
pub(crate) fn deploy(pod: &Pod, rng: &mut Rng) -> Audit {
    Audit {
        audit_id: rng.next_u128(),
        verb: "patch",
        user: "system:serviceaccount:ci:deployer".to_owned(),
        group: CONTROLLERS,
        source_ip: [10, 0, 3, 17],
        user_agent: "helm/v4.0.0",
        api_group: "apps",
        resource: "deployments",
        namespace: pod.namespace.to_owned(),
        name: pod.service.clone(),
        status: 200,
        reason: "RBAC: allowed by RoleBinding \"ci-deployer\"".to_owned(),
        duration_us: rng.latency(9_000),
    }
}
