//! What only looks like secrets and personal data.

use super::{ALNUM, BASE64, DIGITS, HEX, LOWER, Sort, UPPER, of};
use crate::Rng;

const NONE: &[&str] = &[];

macro_rules! decoys {
    (@) => { NONE };
    (@ $lines:expr) => { $lines };
    ($($make:expr $(, in $lines:expr)?;)+) => {
        &[$(Sort { name: "", makes: &[$make], lines: decoys!(@ $($lines)?) },)+]
    };
}

/// Said of secrets, with none in it.
const SAID: &[&str] = &[
    "login failed for {}: invalid password: user not found",
    "password reset requested by {}",
    "unexpected token: }} at line {}",
    r#"{"usage":{"prompt_tokens":1234,"completion_tokens":56},"id":"{}"}"#,
    r#"{"nextPageToken":"{}","items":[]}"#,
    "401 WWW-Authenticate: Bearer realm=\"{}\", error=\"invalid_token\"",
    "Basic authentication failed for {}",
    r#"{"password":"***","user":"{}"}"#,
    "token_type=Bearer expires_in=3600 client={}",
    r#"reconciling secret="istio-system/{}-ca" controller=citadel"#,
    "git clone ssh://git@git.example.com/{}.git",
    "PWD=/home/{}/work1 SHELL=/bin/sh",
    "public key -----BEGIN PUBLIC KEY----- of {}",
    "GET https://example.com:8443/{}/@me?at=12:30 200",
];

pub(super) const SORTS: &[Sort] = decoys![
    |rng| of(rng, LOWER, 8), in SAID;
    |rng| of(rng, LOWER, 6), in SAID;
    |rng| of(rng, DIGITS, 16);
    |rng| format!("4{}", of(rng, DIGITS, 15));
    |rng| of(rng, DIGITS, 13);
    |rng| of(rng, DIGITS, 11);
    |rng| of(rng, DIGITS, 15);
    |rng| of(rng, DIGITS, 19);
    |rng| rng.next_u64().to_string();
    |rng| format!("17950{}", of(rng, DIGITS, 14));
    |rng| format!("0.{}", of(rng, DIGITS, 16));
    |rng| of(rng, HEX, 32);
    |rng| of(rng, HEX, 16);
    |rng| of(rng, HEX, 40);
    |rng| of(rng, HEX, 64);
    uuid;
    |rng| of(rng, BASE64, 64);
    |rng| format!("eyJ{}", of(rng, ALNUM, 60));
    |rng| format!("2026-11-{:02}T{:02}:{:02}:07.{}Z", rng.between(1, 31), rng.below(24), rng.below(60), of(rng, DIGITS, 9));
    |rng| format!("v{}.{}.{}", rng.below(20), rng.below(30), rng.below(100));
    |rng| format!("Chrome/{}.0.{}.{}", rng.between(90, 140), rng.below(9_000), rng.below(256));
    |rng| format!("+49{}", of(rng, DIGITS, 11));
    |rng| format!("{}-{}-{}", of(rng, DIGITS, 4), of(rng, DIGITS, 6), of(rng, DIGITS, 4));
    |rng| format!("{}@{}.service", of(rng, LOWER, 5), of(rng, LOWER, 4));
    |rng| format!("registry.example.com/shop/{}@sha256:{}", of(rng, LOWER, 6), of(rng, HEX, 64));
    |rng| format!("{}-{}-{}", of(rng, LOWER, 7), of(rng, b"bcdfghjklmnpqrstvwxz2456789", 10), of(rng, b"bcdfghjklmnpqrstvwxz2456789", 5));
    |rng| format!("outbound|9080|v1|{}.shop.svc.cluster.local", of(rng, LOWER, 7));
    |rng| format!("spiffe://cluster.local/ns/shop/sa/{}", of(rng, LOWER, 7));
    |rng| format!("{}:{}:{}:{}:{}:{}", of(rng, HEX, 2), of(rng, HEX, 2), of(rng, HEX, 2), of(rng, HEX, 2), of(rng, HEX, 2), of(rng, HEX, 2));
    |rng| format!("{}{}{}", of(rng, UPPER, 2), of(rng, DIGITS, 2), of(rng, DIGITS, 18));
    |rng| format!("SKU-{}{}", of(rng, UPPER, 4), of(rng, DIGITS, 8));
    |rng| format!("app-{}.js", of(rng, HEX, 8));
];

fn uuid(rng: &mut Rng) -> String {
    [8, 4, 4, 4, 12].map(|count| of(rng, HEX, count)).join("-")
}
