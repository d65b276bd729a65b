//! Variables of statements. `<n>` is a number, `<a|b>` one of two words, and so on.

use crate::Rng;
use crate::text::{push_civil, push_hex, push_ip, push_padded, push_rfc3339, push_u64, push_uuid};

const USERS: &[&str] = &[
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "root",
    "admin",
    "deploy",
    "git",
    "backup",
    "svc_report",
    "j.doe",
    "test1",
    "oracle",
    "postgres",
    "www-data",
];
const HOSTS: &[&str] = &[
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "db-master",
    "web01",
    "web02",
    "cache-a",
    "worker-17",
    "edge.example.com",
    "node4.cluster.local",
    "mx1.example.org",
    "build-agent-3",
    "files",
    "gateway",
];
const SERVICES: &[&str] = &[
    "cart",
    "checkout",
    "catalog",
    "payment",
    "shipping",
    "inventory",
    "recommendation",
    "frontend",
    "search",
    "mailer",
    "ledger",
    "session-store",
    "image-resizer",
];
const FILES: &[&str] = &["report", "index", "main", "users", "orders", "config", "access", "data", "dump", "cache"];
const ENDINGS: &[&str] = &["txt", "log", "html", "json", "conf", "tmp", "so", "png"];
const FOLDERS: &[&str] = &["var", "opt", "usr", "home", "data", "srv", "mnt", "static", "api", "v1", "lib", "share"];
const DEVICES: &[&str] = &["eth0", "eth1", "ens5", "sda", "sdb1", "nvme0n1", "wlan0", "br-lan", "docker0", "md127"];
const CLASSES: &[&str] = &[
    "OrderService",
    "PaymentClient",
    "UserRepository",
    "CacheLoader",
    "SessionFilter",
    "MailSender",
    "TokenVerifier",
    "Http2Server",
    "JobRunner",
    "IndexWriter",
];
const WORDS: &[&str] = &[
    "amber", "birch", "cobalt", "dune", "ember", "fjord", "grove", "harbor", "iris", "juniper", "kelp", "lagoon",
    "maple", "nectar", "opal", "pine", "quartz", "reef", "sage", "tundra", "umber", "violet", "willow", "yarrow",
    "zephyr",
];

/// What variables follow from beside chance.
#[derive(Default)]
pub(super) struct Names {
    clock_ns: i64,
    statement: usize,
}

const START_NS: i64 = 1_795_168_800_000_000_000;

impl Names {
    pub(super) fn begin_line(&mut self, statement: usize) {
        self.statement = statement;
        self.clock_ns += 173_911_001;
    }

    fn now_ns(&self) -> i64 {
        START_NS + self.clock_ns
    }
}

/// Appends a statement with its variables filled in.
pub(super) fn fill(statement: &str, rng: &mut Rng, names: &mut Names, out: &mut String) {
    let mut rest = statement;
    while let Some((before, name, after)) = next(rest) {
        out.push_str(before);
        if let Some(value) = choice(name, rng) {
            out.push_str(value);
        } else {
            variable(name, rng, names, out);
        }
        rest = after;
    }
    out.push_str(rest);
}

/// The text before the next variable, its name, and the text behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.match_indices('<').map(|(at, _)| at).find(|at| {
        let name = text[at + 1..].split('>').next().unwrap_or_default();
        text[at + 1..].contains('>') && (name.contains('|') || name.bytes().all(|byte| byte.is_ascii_lowercase()))
    })?;
    let end = start + text[start..].find('>')?;
    Some((&text[..start], &text[start + 1..end], &text[end + 1..]))
}

fn choice<'a>(name: &'a str, rng: &mut Rng) -> Option<&'a str> {
    let count = name.split('|').count();
    if count < 2 { None } else { name.split('|').nth(rng.below(count as u64) as usize) }
}

const NAMES: &[&str] = &[
    "n", "small", "big", "signed", "float", "port", "ip", "addr", "mac", "hex", "pointer", "uuid", "user", "host",
    "service", "path", "file", "device", "class", "word", "words", "pod", "blk", "ms", "size", "percent", "iso",
    "civil", "clock", "syslog", "clf", "epoch", "mail", "url", "ips", "trace", "id", "sentence", "level", "lowlevel",
    "letter", "hms", "via",
];

/// Variables of a statement that are none of ours.
#[cfg(test)]
pub(super) fn unknown(statement: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some((_, name, after)) = next(rest) {
        found.extend((!name.contains('|') && !NAMES.contains(&name)).then_some(name));
        rest = after;
    }
    found
}

fn variable(name: &str, rng: &mut Rng, names: &Names, out: &mut String) {
    debug_assert!(NAMES.contains(&name), "`{name}`");
    match name {
        "n" => push_u64(out, rng.below(10_000)),
        "small" => push_u64(out, rng.below(16)),
        "big" => push_u64(out, rng.next_u64() >> 4),
        "port" => push_u64(out, rng.between(1_024, 65_536)),
        "epoch" => push_u64(out, names.now_ns() as u64 / 1_000_000),
        "ms" => push_u64(out, rng.latency(20)),
        "signed" | "blk" => signed(name, rng, out),
        "float" | "percent" | "size" => fraction(name, rng, out),
        "ip" | "addr" | "ips" | "via" | "mac" => address(name, rng, out),
        "hex" => push_hex(out, rng.next_u128(), 32),
        "trace" => push_hex(out, rng.next_u128(), 16),
        "pointer" => {
            out.push_str("0x");
            push_hex(out, rng.next_u128(), 12);
        }
        "uuid" => push_uuid(out, rng.next_u128()),
        // A statement always has the same level.
        "level" => out.push_str(["INFO", "WARN", "INFO", "ERROR", "INFO"][names.statement % 5]),
        "lowlevel" => out.push_str(["info", "warn", "info", "error", "info"][names.statement % 5]),
        "letter" => out.push_str(["I", "W", "I", "E", "I"][names.statement % 5]),
        "iso" => push_rfc3339(out, names.now_ns(), 3),
        "civil" => push_civil(out, names.now_ns(), ' ', ',', 3),
        "clock" | "hms" | "syslog" | "clf" => time(name, names, out),
        _ => word(name, rng, out),
    }
}

fn word(name: &str, rng: &mut Rng, out: &mut String) {
    match name {
        "user" => out.push_str(one(rng, USERS)),
        "host" => out.push_str(one(rng, HOSTS)),
        "service" => out.push_str(one(rng, SERVICES)),
        "device" => out.push_str(one(rng, DEVICES)),
        "class" => out.push_str(one(rng, CLASSES)),
        "word" => out.push_str(one(rng, WORDS)),
        "file" => file(rng, out),
        "path" | "url" => path(name, rng, out),
        "pod" => pod(rng, out),
        "id" => suffix(rng, 22, out),
        "mail" => {
            out.push_str(one(rng, USERS));
            out.push_str("@example.com");
        }
        // "words" are up to four with commas, a "sentence" two to six without.
        "words" | "sentence" => {
            let (between, count) = if name == "words" { (", ", rng.between(1, 5)) } else { (" ", rng.between(2, 7)) };
            for nth in 0..count {
                out.push_str(if nth > 0 { between } else { "" });
                out.push_str(one(rng, WORDS));
            }
        }
        _ => {}
    }
}

fn signed(name: &str, rng: &mut Rng, out: &mut String) {
    if name == "blk" {
        out.push_str("blk_");
    }
    if rng.chance(500_000) {
        out.push('-');
    }
    push_u64(out, rng.next_u64() >> 2);
}

fn fraction(name: &str, rng: &mut Rng, out: &mut String) {
    push_u64(out, rng.below(1_000));
    out.push('.');
    push_padded(out, rng.below(100), 2);
    match name {
        "percent" => out.push('%'),
        "size" => out.push_str(one(rng, &[" B", " KB", " MB", " GB"])),
        _ => {}
    }
}

fn address(name: &str, rng: &mut Rng, out: &mut String) {
    let ip = |rng: &mut Rng| [10, rng.below(8) as u8, rng.below(256) as u8, rng.below(256) as u8];
    match name {
        "mac" => (0..6).for_each(|nth| {
            out.push_str(if nth > 0 { ":" } else { "" });
            push_hex(out, rng.next_u128(), 2);
        }),
        // One, or a proxy's and one behind a comma.
        "via" => (0..rng.between(1, 3)).for_each(|nth| {
            out.push_str(if nth > 0 { "," } else { "" });
            push_ip(out, ip(rng));
        }),
        "ips" => (0..rng.between(1, 5)).for_each(|nth| {
            out.push_str(if nth > 0 { ", " } else { "" });
            push_ip(out, ip(rng));
        }),
        _ => push_ip(out, ip(rng)),
    }
    if name == "addr" {
        out.push(':');
        push_u64(out, rng.between(1_024, 65_536));
    }
}

fn time(name: &str, names: &Names, out: &mut String) {
    let mut civil = String::new();
    push_civil(&mut civil, names.now_ns(), ' ', '.', 3);
    match name {
        "clock" => out.push_str(&civil[11..]),
        "hms" => out.push_str(&civil[11..19]),
        "syslog" => {
            out.push_str("Nov ");
            out.push_str(&civil[8..19]);
        }
        _ => {
            out.push_str(&civil[8..10]);
            out.push_str("/Nov/2026:");
            out.push_str(&civil[11..19]);
            out.push_str(" +0000");
        }
    }
}

fn file(rng: &mut Rng, out: &mut String) {
    out.push_str(one(rng, FILES));
    if rng.chance(500_000) {
        push_u64(out, rng.below(100));
    }
    out.push('.');
    out.push_str(one(rng, ENDINGS));
}

fn path(name: &str, rng: &mut Rng, out: &mut String) {
    if name == "url" {
        out.push_str("https://");
        out.push_str(one(rng, HOSTS));
    }
    for _ in 0..rng.between(1, 5) {
        out.push('/');
        out.push_str(one(rng, FOLDERS));
    }
    out.push('/');
    file(rng, out);
}

fn pod(rng: &mut Rng, out: &mut String) {
    out.push_str(one(rng, SERVICES));
    out.push('-');
    suffix(rng, 9, out);
    out.push('-');
    suffix(rng, 5, out);
}

/// As Kubernetes names things: no vowels, so that no words come about.
fn suffix(rng: &mut Rng, length: usize, out: &mut String) {
    (0..length).for_each(|_| out.push(char::from(*rng.pick(b"bcdfghjklmnpqrstvwxz2456789"))));
}

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    let picked: &&str = rng.pick(of);
    picked
}
