//! Who is in the mesh and who calls whom.
//!
//! Two profiles: a shop of fourteen services that a person can take in at a glance, and a company of sixty for the
//! bench. Calls always point to later services, so a request ends.

use std::sync::Arc;

use crate::{Rng, bench_profile, shop_profile};

/// Whose proxies a mesh runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Envoy sidecars configured by Istio.
    Istio,
    /// Linkerd's own proxy.
    Linkerd,
    /// Envoy sidecars configured by Consul.
    Consul,
}

/// What an application is written in: it decides how its lines and stack traces look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// logback lines.
    Java,
    /// `logging` lines.
    Python,
    /// `log/slog` lines.
    Go,
    /// pino-like lines.
    Node,
}

/// One path family of a service.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path with `{id}` where an id stands.
    pub pattern: &'static str,
    /// How many ids there are.
    pub ids: u64,
    /// Share among the service's routes.
    pub weight: u64,
}

/// One dependency of a service.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Index of the service called.
    pub callee: usize,
    /// How often a request makes the call.
    pub per_million: u32,
}

/// One running instance, with all that a log line says about where it comes from.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Index of the service, `usize::MAX` for the control plane.
    pub index: usize,
    /// `service.name`.
    pub service: String,
    /// Kubernetes namespace.
    pub namespace: &'static str,
    /// Name of the mesh.
    pub mesh: &'static str,
    /// Kubernetes cluster.
    pub cluster: &'static str,
    /// Whose proxy stands beside it.
    pub platform: Platform,
    /// What it is written in.
    pub language: Language,
    /// Pod name.
    pub name: String,
    /// Version label.
    pub version: &'static str,
    /// Node it runs on.
    pub node: String,
    /// Its address.
    pub ip: [u8; 4],
    /// The port it listens on.
    pub port: u16,
}

/// A service: its instances, what it serves and whom it calls.
#[derive(Clone, Debug)]
pub struct Service {
    /// Instances of the version that works.
    pub pods: Vec<Arc<Pod>>,
    /// Instances after a bad deploy; the last old one stays, as in a rollout that is stuck.
    pub bad_pods: Vec<Arc<Pod>>,
    /// What it serves.
    pub routes: Vec<Route>,
    /// Whom it calls.
    pub calls: Vec<Call>,
    /// Typical time of its own work.
    pub latency_us: u64,
    /// How often it fails by itself.
    pub errors_per_million: u32,
    /// Share of the requests from outside that enter here; 0 for inner services.
    pub entry_weight: u64,
    /// Things only this application says.
    pub messages: &'static [&'static str],
}

impl Service {
    /// Its name.
    pub fn name(&self) -> &str {
        self.pods.first().map_or("", |pod| &pod.service)
    }
}

/// All services, and the control plane that writes audit lines.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Callers before callees.
    pub services: Vec<Service>,
    /// The Kubernetes API server.
    pub control_plane: Arc<Pod>,
}

impl Mesh {
    /// The demo: a shop on three meshes.
    pub fn shop() -> Self {
        shop_profile::mesh()
    }

    /// The bench: sixty services on three meshes.
    pub fn company() -> Self {
        bench_profile::mesh()
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name() == name)
    }
}

/// What a profile says of one service; the rest is derived.
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) namespace: &'static str,
    pub(crate) mesh: &'static str,
    pub(crate) cluster: &'static str,
    pub(crate) platform: Platform,
    pub(crate) language: Language,
    pub(crate) port: u16,
    pub(crate) pods: usize,
    pub(crate) version: &'static str,
    pub(crate) next_version: &'static str,
    pub(crate) latency_us: u64,
    pub(crate) errors_per_million: u32,
    pub(crate) entry_weight: u64,
    pub(crate) routes: Vec<Route>,
    pub(crate) calls: Vec<Call>,
    pub(crate) messages: &'static [&'static str],
}

impl Blueprint {
    /// The service at `index`.
    pub(crate) fn build(self, index: usize, rng: &mut Rng) -> Service {
        let (old_set, new_set) = (replica_set(rng), replica_set(rng));
        let pods: Vec<_> = (0..self.pods).map(|_| Arc::new(self.pod(index, self.version, &old_set, rng))).collect();
        let replaced = self.pods.saturating_sub(1).max(1);
        let mut bad_pods: Vec<_> =
            (0..replaced).map(|_| Arc::new(self.pod(index, self.next_version, &new_set, rng))).collect();
        bad_pods.extend(pods.iter().skip(replaced).cloned());
        Service {
            pods,
            bad_pods,
            routes: self.routes,
            calls: self.calls,
            latency_us: self.latency_us,
            errors_per_million: self.errors_per_million,
            entry_weight: self.entry_weight,
            messages: self.messages,
        }
    }

    fn pod(&self, index: usize, version: &'static str, replica_set: &str, rng: &mut Rng) -> Pod {
        let second = match self.platform {
            Platform::Istio => 4,
            Platform::Linkerd => 20,
            Platform::Consul => 36,
        };
        Pod {
            index,
            service: self.name.clone(),
            namespace: self.namespace,
            mesh: self.mesh,
            cluster: self.cluster,
            platform: self.platform,
            language: self.language,
            name: format!("{}-{replica_set}-{}", self.name, suffix(rng, 5)),
            version,
            node: format!("{}-node-{}", self.cluster, rng.between(1, 9)),
            ip: [10, second + (index % 16) as u8, rng.below(256) as u8, rng.between(2, 254) as u8],
            port: self.port,
        }
    }
}

/// The Kubernetes API server of `cluster`.
pub(crate) fn control_plane(cluster: &'static str, mesh: &'static str) -> Arc<Pod> {
    Arc::new(Pod {
        index: usize::MAX,
        service: "kube-apiserver".to_owned(),
        namespace: "kube-system",
        mesh,
        cluster,
        platform: Platform::Istio,
        language: Language::Go,
        name: format!("kube-apiserver-{cluster}-cp-1"),
        version: "v1.34.2",
        node: format!("{cluster}-cp-1"),
        ip: [10, 0, 0, 11],
        port: 6443,
    })
}

fn replica_set(rng: &mut Rng) -> String {
    suffix(rng, 10)
}

/// Kubernetes' alphabet for generated names: no vowels and no digits that look like one.
fn suffix(rng: &mut Rng, length: usize) -> String {
    (0..length).map(|_| char::from(*rng.pick(b"bcdfghjklmnpqrstvwxz2456789"))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn check(mesh: &Mesh, services: usize) {
        assert_eq!(mesh.services.len(), services);
        let names: HashSet<&str> = mesh.services.iter().map(Service::name).collect();
        assert_eq!(names.len(), services, "names are unique");
        let meshes: HashSet<&str> = mesh.services.iter().map(|service| service.pods[0].mesh).collect();
        assert_eq!(meshes.len(), 3);
        assert!(mesh.services.iter().any(|service| service.entry_weight > 0));
        for (index, service) in mesh.services.iter().enumerate() {
            let name = service.name();
            assert!(service.calls.iter().all(|call| call.callee > index), "{name} calls only later services");
            assert!(service.calls.iter().all(|call| call.callee < services), "{name} calls services that exist");
            assert!(service.pods.iter().all(|pod| pod.index == index), "{name}");
            assert!(!service.routes.is_empty() && !service.bad_pods.is_empty(), "{name}");
            let version = service.pods[0].version;
            assert!(service.bad_pods[0].version != version, "{name}: a bad deploy shows in the label");
        }
        let mut reached: HashSet<usize> = HashSet::new();
        for (index, service) in mesh.services.iter().enumerate() {
            if service.entry_weight > 0 || reached.contains(&index) {
                reached.insert(index);
                reached.extend(service.calls.iter().map(|call| call.callee));
            }
        }
        assert_eq!(reached.len(), services, "every service gets requests");
    }

    #[test]
    fn profiles_are_whole() {
        check(&Mesh::shop(), 14);
        check(&Mesh::company(), 60);
    }
}
