//! The demo's shop: fourteen services on three meshes, few enough to remember.

use crate::Rng;
use crate::topology::{Blueprint, Call, Language, Mesh, Platform, Route, control_plane};

/// Name, mesh, language, pods, version before and after a deploy, typical µs, errors per million, entry weight.
type Row = (&'static str, Home, Language, usize, &'static str, &'static str, u64, u32, u64);

#[derive(Clone, Copy)]
enum Home {
    Shop,
    Payments,
    Legacy,
}

impl Home {
    fn place(self) -> (&'static str, &'static str, &'static str, Platform) {
        match self {
            Self::Shop => ("shop-eu", "eu-1", "shop", Platform::Istio),
            Self::Payments => ("payments", "pay-1", "payments", Platform::Linkerd),
            Self::Legacy => ("legacy", "dc-2", "legacy", Platform::Consul),
        }
    }
}

const ROWS: [Row; 14] = [
    ("frontend", Home::Shop, Language::Node, 3, "v5.12.0", "v5.13.0", 4_000, 300, 8),
    ("mobile-api", Home::Shop, Language::Go, 2, "v2.1.4", "v2.2.0", 3_000, 300, 4),
    ("checkout", Home::Shop, Language::Java, 3, "v2.7.3", "v2.8.0", 14_000, 900, 0),
    ("cart", Home::Shop, Language::Go, 2, "v1.9.0", "v1.10.0", 2_500, 400, 0),
    ("recommendation", Home::Shop, Language::Python, 2, "v3.0.2", "v3.1.0", 11_000, 1_500, 0),
    ("catalog", Home::Shop, Language::Java, 3, "v4.4.1", "v4.5.0", 5_000, 300, 0),
    ("ads", Home::Shop, Language::Java, 2, "v1.3.7", "v1.4.0", 6_000, 2_500, 0),
    ("currency", Home::Shop, Language::Node, 1, "v1.0.9", "v1.1.0", 1_200, 100, 0),
    ("payment", Home::Payments, Language::Java, 3, "v3.6.0", "v3.7.0", 38_000, 1_200, 0),
    ("fraud", Home::Payments, Language::Python, 2, "v0.14.2", "v0.15.0", 21_000, 800, 0),
    ("auth", Home::Payments, Language::Go, 2, "v2.2.2", "v2.3.0", 3_500, 300, 1),
    ("shipping", Home::Legacy, Language::Java, 2, "r118", "r119", 17_000, 1_800, 0),
    ("inventory", Home::Legacy, Language::Java, 2, "r204", "r205", 12_000, 1_500, 0),
    ("email", Home::Legacy, Language::Python, 1, "r077", "r078", 45_000, 2_500, 0),
];

fn calls(name: &str) -> &'static [(&'static str, u32)] {
    match name {
        "frontend" => &[
            ("catalog", 600_000),
            ("recommendation", 300_000),
            ("ads", 350_000),
            ("cart", 300_000),
            ("currency", 400_000),
            ("checkout", 90_000),
            ("auth", 200_000),
        ],
        "mobile-api" => &[("catalog", 550_000), ("cart", 250_000), ("checkout", 80_000), ("auth", 400_000)],
        "checkout" => {
            &[("cart", 950_000), ("currency", 500_000), ("payment", 900_000), ("shipping", 800_000), ("email", 500_000)]
        }
        "recommendation" => &[("catalog", 700_000)],
        "cart" => &[("inventory", 250_000)],
        "catalog" => &[("inventory", 150_000)],
        "payment" => &[("fraud", 800_000), ("auth", 300_000)],
        "shipping" => &[("inventory", 600_000)],
        _ => &[],
    }
}

fn routes(name: &str) -> &'static [(&'static str, &'static str, u64, u64)] {
    match name {
        "frontend" => &[
            ("GET", "/", 1, 5),
            ("GET", "/product/{id}", 900, 8),
            ("GET", "/cart", 1, 3),
            ("POST", "/cart", 1, 2),
            ("POST", "/cart/checkout", 1, 1),
            ("GET", "/search?q=shoe-{id}", 300, 2),
        ],
        "mobile-api" => {
            &[("GET", "/api/v2/products/{id}", 900, 5), ("GET", "/api/v2/me", 1, 2), ("POST", "/api/v2/orders", 1, 1)]
        }
        "checkout" => &[("POST", "/api/orders", 1, 3), ("GET", "/api/orders/{id}", 5_000, 2)],
        "cart" => &[("GET", "/api/carts/{id}", 4_000, 5), ("POST", "/api/carts/{id}/items", 4_000, 2)],
        "recommendation" => &[("GET", "/recommendations?product={id}", 900, 1)],
        "catalog" => &[("GET", "/api/products/{id}", 900, 6), ("GET", "/api/products?page={id}", 40, 2)],
        "ads" => &[("GET", "/ads?context={id}", 25, 1)],
        "currency" => &[("GET", "/convert?to=EUR", 1, 3), ("GET", "/rates", 1, 1)],
        "payment" => &[("POST", "/charges", 1, 5), ("POST", "/charges/{id}/refund", 900, 1)],
        "fraud" => &[("POST", "/score", 1, 1)],
        "auth" => {
            &[("POST", "/oauth/token", 1, 3), ("GET", "/userinfo", 1, 4), ("GET", "/.well-known/jwks.json", 1, 1)]
        }
        "shipping" => &[("POST", "/quote", 1, 4), ("POST", "/shipments", 1, 1)],
        "inventory" => &[("GET", "/stock/{id}", 900, 5), ("POST", "/stock/{id}/reserve", 900, 1)],
        _ => &[("POST", "/send/order-confirmation", 1, 1)],
    }
}

fn messages(name: &str) -> &'static [&'static str] {
    match name {
        "frontend" | "mobile-api" => &["rendered page for session {hex} in {ms} ms", "cache hit for /product/{n}"],
        "checkout" => &["order {order} placed by {user}, {n} items, total {amount} EUR", "order {order} confirmed"],
        "cart" => &["cart of {user} now has {n} items", "merged guest cart {hex} into cart of {user}"],
        "recommendation" => &["model ranked {n} candidates in {ms} ms", "feature cache refreshed, {n} products"],
        "catalog" => &["loaded product {sku} from replica {n}", "search index returned {n} hits in {ms} ms"],
        "ads" => &["no targeted ad for context, falling back to random", "served ad {sku} to segment {n}"],
        "payment" => &["charged {amount} EUR to card token {hex}", "issuer answered in {ms} ms for order {order}"],
        "fraud" => &["score {n} for order {order}: accepted", "velocity check for {user} passed"],
        "auth" => &["issued access token to {user}, expires in 900 s", "rotated signing key {hex}"],
        "shipping" => &["quote for order {order}: {amount} EUR", "label printed for order {order}"],
        "inventory" => &["reserved {n} of {sku}", "stock of {sku} is {n}"],
        "email" => &["queued order confirmation {order} for {user}", "smtp relay accepted message {hex}"],
        _ => &["converted {amount} USD to EUR"],
    }
}

/// The shop.
pub(crate) fn mesh() -> Mesh {
    let mut rng = Rng::new(0x5109);
    let index_of = |name: &str| ROWS.iter().position(|row| row.0 == name);
    let services = ROWS
        .iter()
        .enumerate()
        .map(|(index, (name, home, language, pods, version, next, latency_us, errors, entry))| {
            let (mesh, cluster, namespace, platform) = home.place();
            let to_call = |(callee, per_million): &(&str, u32)| {
                index_of(callee).map(|callee| Call { callee, per_million: *per_million })
            };
            let blueprint = Blueprint {
                name: (*name).to_owned(),
                namespace,
                mesh,
                cluster,
                platform,
                language: *language,
                port: 8080,
                pods: *pods,
                version,
                next_version: next,
                latency_us: *latency_us,
                errors_per_million: *errors,
                entry_weight: *entry,
                routes: routes(name)
                    .iter()
                    .map(|&(method, pattern, ids, weight)| Route { method, pattern, ids, weight })
                    .collect(),
                calls: calls(name).iter().filter_map(to_call).collect(),
                messages: messages(name),
            };
            blueprint.build(index, &mut rng)
        })
        .collect();
    Mesh { services, control_plane: control_plane("eu-1", "shop-eu") }
}
