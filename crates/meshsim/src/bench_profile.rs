//! The bench's company: sixty services in twelve domains, each with a public API, three inner services and a store.
//!
//! The domains on Linkerd are chosen so that a fifth of all hops cross its proxies, which gives the line mix that
//! `docs/benchmarks.md` promises.

use crate::Rng;
use crate::topology::{Blueprint, Call, Language, Mesh, Platform, Route, control_plane};

const DOMAINS: [&str; 12] = [
    "cart", "orders", "catalog", "search", "pricing", "billing", "identity", "returns", "stock", "delivery", "reviews",
    "loyalty",
];
const ROLES: [&str; 5] = ["api", "core", "rules", "worker", "store"];
const LANGUAGES: [Language; 4] = [Language::Java, Language::Go, Language::Python, Language::Node];
const VERSIONS: [(&str, &str); 4] =
    [("v1.4.2", "v1.5.0"), ("v2.0.11", "v2.1.0"), ("v3.8.0", "v3.9.0"), ("2026.46.1", "2026.47.0")];

fn place(domain: usize) -> (&'static str, &'static str, &'static str, Platform) {
    match domain {
        0..=2 => ("shop-eu", "eu-1", "shop", Platform::Istio),
        3 | 4 | 11 => ("shop-eu", "eu-1", "discovery", Platform::Istio),
        5 | 6 => ("payments", "pay-1", "payments", Platform::Linkerd),
        7 | 10 => ("shop-eu", "eu-1", "care", Platform::Istio),
        _ => ("legacy", "dc-2", "logistics", Platform::Consul),
    }
}

fn routes(role: usize) -> Vec<Route> {
    let table: &[(&str, &str, u64, u64)] = match role {
        0 => &[
            ("GET", "/api/v1/items/{id}", 40_000, 8),
            ("GET", "/api/v1/items", 1, 5),
            ("POST", "/api/v1/items", 1, 2),
            ("GET", "/api/v1/search?q=term-{id}&page=1&sort=relevance", 4_000, 3),
            ("DELETE", "/api/v1/items/{id}", 40_000, 1),
        ],
        1 => &[("GET", "/internal/items/{id}", 40_000, 5), ("POST", "/internal/items/{id}/apply", 40_000, 2)],
        2 => &[("POST", "/rules/evaluate", 1, 6), ("GET", "/rules/{id}", 120, 1)],
        3 => &[("POST", "/jobs", 1, 4), ("GET", "/jobs/{id}/status", 20_000, 3)],
        _ => &[
            ("GET", "/store/v2/rows/{id}?consistency=quorum", 60_000, 6),
            ("PUT", "/store/v2/rows/{id}", 60_000, 2),
            ("POST", "/store/v2/batch", 1, 2),
        ],
    };
    table.iter().map(|&(method, pattern, ids, weight)| Route { method, pattern, ids, weight }).collect()
}

/// Callers come first: the APIs of all domains, then their cores, and so on; each calls its own domain's next service
/// and now and then another domain's.
fn calls(role: usize, domain: usize) -> Vec<Call> {
    let at = |role: usize, domain: usize| role * DOMAINS.len() + domain % DOMAINS.len();
    let call = |callee, per_million| Call { callee, per_million };
    match role {
        0 => vec![call(at(1, domain), 850_000), call(at(1, domain + 5), 200_000)],
        1 => vec![call(at(2, domain), 350_000), call(at(4, domain), 700_000), call(at(3, domain + 1), 150_000)],
        2 | 3 => vec![call(at(4, domain), 600_000)],
        _ => Vec::new(),
    }
}

/// The company.
pub(crate) fn mesh() -> Mesh {
    let mut rng = Rng::new(0xbe9c);
    let mut services = Vec::with_capacity(DOMAINS.len() * ROLES.len());
    for (role, role_name) in ROLES.iter().enumerate() {
        for (domain, domain_name) in DOMAINS.iter().enumerate() {
            let (mesh, cluster, namespace, platform) = place(domain);
            let (version, next_version) = *rng.pick(&VERSIONS);
            let blueprint = Blueprint {
                name: format!("{domain_name}-{role_name}"),
                namespace,
                mesh,
                cluster,
                platform,
                language: LANGUAGES[(role + domain) % LANGUAGES.len()],
                port: 8080,
                pods: 2 + rng.below(3) as usize,
                version,
                next_version,
                latency_us: [6_000, 9_000, 4_000, 30_000, 2_500][role] + rng.below(2_000),
                errors_per_million: 1_000 + rng.below(4_000) as u32,
                entry_weight: match (role, platform) {
                    (0, Platform::Linkerd) => 13,
                    (0, _) => 7 + rng.below(5),
                    _ => 0,
                },
                routes: routes(role),
                calls: calls(role, domain),
                messages: &[],
            };
            services.push(blueprint.build(role * DOMAINS.len() + domain, &mut rng));
        }
    }
    Mesh { services, control_plane: control_plane("eu-1", "shop-eu") }
}
