//! What applications say: message templates, and stack traces in the manner of their language.

use crate::Rng;
use crate::event::Level;
use crate::text::{push_hex, push_ip, push_padded, push_u64};
use crate::topology::{Language, Service};

/// The message no healthy version ever writes; it tells a new template from a known one.
pub const FAULT_MESSAGE: &str =
    "connection pool orders-db exhausted: 64 of 64 in use, {n} waiting, gave up after 2000 ms";

const INFO: [&str; 14] = [
    "request completed in {ms} ms",
    "loaded {n} rows for {user} in {ms} ms",
    "cache hit for key {hex}",
    "cache miss for key {hex}, fetched from store in {ms} ms",
    "published event {hex} to topic orders.{n}",
    "consumed batch of {n} messages, lag is {n}",
    "user {user} signed in from {ip}",
    "order {order} moved to state PACKED",
    "order {order} total is {amount} EUR for {n} items of {sku}",
    "reloaded configuration, {n} keys changed",
    "connection to {ip} established in {ms} ms",
    "scheduled job {hex} finished after {ms} ms with {n} results",
    "feature flag evaluation for {user} returned variant {n}",
    "garbage collection paused for {ms} ms",
];
const WARN: [&str; 5] = [
    "slow query took {ms} ms: select * from orders where customer = {n}",
    "retrying call to {ip}, attempt {n}",
    "rate limit of {user} at {n} percent",
    "deprecated field sku_code used by client {ip}",
    "queue depth {n} above the high-water mark",
];
const ERROR: [&str; 5] = [
    "request failed for order {order}: upstream answered 503",
    "could not reserve {sku} for {user}: timeout after {ms} ms",
    "unhandled exception while serving {user}",
    "write to store failed after {n} attempts, last error: deadline exceeded",
    "payload of order {order} rejected: unexpected field at offset {n}",
];

/// A message of that level, filled in.
pub(crate) fn message(service: &Service, level: Level, rng: &mut Rng) -> String {
    let own = service.messages;
    let template = match level {
        Level::Error => rng.pick(&ERROR),
        Level::Warn => rng.pick(&WARN),
        Level::Info | Level::Debug if !own.is_empty() && rng.chance(700_000) => rng.pick(own),
        Level::Info | Level::Debug => rng.pick(&INFO),
    };
    fill(template, rng)
}

/// Puts values where the template has `{…}`.
pub(crate) fn fill(template: &str, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        value(name, rng, &mut out);
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn value(name: &str, rng: &mut Rng, out: &mut String) {
    match name {
        "n" => push_u64(out, 1 + rng.skewed(400)),
        "ms" => push_u64(out, rng.latency(24)),
        "hex" => push_hex(out, rng.next_u64().into(), 16),
        "user" => {
            out.push_str("user-");
            push_u64(out, rng.skewed(90_000));
        }
        "order" => {
            out.push_str("ORD-");
            push_padded(out, rng.below(10_000_000), 8);
        }
        "sku" => {
            out.push_str("SKU-");
            push_padded(out, rng.skewed(9_000), 5);
        }
        "amount" => {
            push_u64(out, rng.skewed(900));
            out.push('.');
            push_padded(out, rng.below(100), 2);
        }
        "ip" => push_ip(out, [10, rng.below(64) as u8, rng.below(256) as u8, rng.below(254) as u8 + 1]),
        other => {
            out.push('{');
            out.push_str(other);
            out.push('}');
        }
    }
}

/// Logger names in the manner of the language.
pub(crate) fn logger(language: Language, rng: &mut Rng) -> &'static str {
    let loggers: &[&'static str] = match language {
        Language::Java => &[
            "com.example.shop.order.OrderService",
            "com.example.shop.web.RequestFilter",
            "com.zaxxer.hikari.pool.HikariPool",
        ],
        Language::Python => &["app.handlers", "app.store", "uvicorn.error"],
        Language::Go => &["server", "store", "worker"],
        Language::Node => &["http", "session", "queue"],
    };
    rng.pick::<&'static str>(loggers)
}

/// A stack trace of `language`, its first line naming the fault.
pub(crate) fn stack(language: Language, rng: &mut Rng) -> String {
    let mut out = String::with_capacity(1_200);
    let depth = rng.between(5, 13);
    match language {
        Language::Java => java(depth, rng, &mut out),
        Language::Python => python(depth, rng, &mut out),
        Language::Go => go(depth, rng, &mut out),
        Language::Node => node(depth, rng, &mut out),
    }
    out
}

const NAMES: [(&str, &str); 8] = [
    ("OrderService", "place"),
    ("PaymentClient", "charge"),
    ("StockRepository", "reserve"),
    ("RequestFilter", "doFilter"),
    ("RetryTemplate", "execute"),
    ("ConnectionPool", "borrow"),
    ("JsonCodec", "decode"),
    ("TransactionInterceptor", "invoke"),
];

fn java(depth: u64, rng: &mut Rng, out: &mut String) {
    out.push_str("java.util.concurrent.TimeoutException: deadline exceeded after ");
    push_u64(out, rng.latency(2_000));
    out.push_str(" ms");
    for _ in 0..depth {
        let (class, method) = rng.pick(&NAMES);
        for part in ["\n\tat com.example.shop.", class, ".", method, "(", class, ".java:"] {
            out.push_str(part);
        }
        push_u64(out, rng.between(20, 480));
        out.push(')');
    }
    out.push_str("\nCaused by: java.net.SocketTimeoutException: Read timed out\n\t... ");
    push_u64(out, depth + 31);
    out.push_str(" common frames omitted");
}

fn python(depth: u64, rng: &mut Rng, out: &mut String) {
    out.push_str("Traceback (most recent call last):");
    for _ in 0..depth.min(8) {
        let (class, method) = rng.pick(&NAMES);
        out.push_str("\n  File \"/app/shop/");
        out.push_str(&class.to_ascii_lowercase());
        out.push_str(".py\", line ");
        push_u64(out, rng.between(20, 480));
        for part in [", in ", method, "\n    return self.", method, "(request, timeout=self.timeout)"] {
            out.push_str(part);
        }
    }
    out.push_str("\nTimeoutError: deadline exceeded");
}

fn go(depth: u64, rng: &mut Rng, out: &mut String) {
    out.push_str("panic: runtime error: invalid memory address or nil pointer dereference\n\ngoroutine ");
    push_u64(out, rng.between(20, 90_000));
    out.push_str(" [running]:");
    for _ in 0..depth.min(8) {
        let (class, method) = rng.pick(&NAMES);
        for part in ["\nexample.com/shop/", class, ".", method, "(0xc000"] {
            out.push_str(part);
        }
        push_hex(out, rng.next_u64().into(), 6);
        out.push_str(")\n\t/src/shop/");
        out.push_str(&class.to_ascii_lowercase());
        out.push_str(".go:");
        push_u64(out, rng.between(20, 480));
    }
}

fn node(depth: u64, rng: &mut Rng, out: &mut String) {
    out.push_str("Error: socket hang up");
    for _ in 0..depth.min(9) {
        let (class, method) = rng.pick(&NAMES);
        for part in ["\n    at ", class, ".", method, " (/app/dist/"] {
            out.push_str(part);
        }
        out.push_str(&class.to_ascii_lowercase());
        out.push_str(".js:");
        push_u64(out, rng.between(20, 480));
        out.push(':');
        push_u64(out, rng.between(3, 60));
        out.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_in_every_template_is_filled() {
        let mut rng = Rng::new(1);
        let shop = crate::Mesh::shop();
        let own = shop.services.iter().flat_map(|service| service.messages);
        for template in INFO.iter().chain(&WARN).chain(&ERROR).chain([&FAULT_MESSAGE]).chain(own) {
            let text = fill(template, &mut rng);
            assert!(!text.contains(['{', '}']), "{text}");
        }
        assert_eq!(fill("{unknown} {", &mut rng), "{unknown} {}", "no template is cut");
    }

    #[test]
    fn stack_traces_have_several_lines() {
        let mut rng = Rng::new(1);
        for language in [Language::Java, Language::Python, Language::Go, Language::Node] {
            assert!(stack(language, &mut rng).lines().count() >= 6, "{language:?}");
        }
    }
}
