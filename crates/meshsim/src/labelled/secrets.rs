//! Secrets.

use super::{ALNUM, BASE64, BASE64_URL, DIGITS, HEX, LOWER, Sort, UPPER, of};
use crate::Rng;

const NONE: &[&str] = &[];

pub(super) const SORTS: &[Sort] = &[
    Sort { name: "private_key", makes: &[escaped_pem, pem], lines: NONE },
    Sort { name: "jwt", makes: &[jwt], lines: NONE },
    Sort { name: "aws_key", makes: &[aws_id], lines: NONE },
    Sort {
        name: "aws_key",
        makes: &[|rng| of(rng, BASE64, 40)],
        lines: &[
            "export AWS_SECRET_ACCESS_KEY={}",
            r#"{"aws":{"secretAccessKey":"{}","region":"eu-central-1"}}"#,
            "aws_secret_access_key = {}",
        ],
    },
    Sort { name: "github_token", makes: &[|rng| format!("ghp_{}", of(rng, ALNUM, 36)), github_pat], lines: NONE },
    Sort { name: "gitlab_token", makes: &[|rng| format!("glpat-{}", of(rng, BASE64_URL, 20))], lines: NONE },
    Sort { name: "slack_token", makes: &[slack, slack_hook], lines: NONE },
    Sort { name: "stripe_key", makes: &[|rng| format!("sk_live_{}", of(rng, ALNUM, 24))], lines: NONE },
    Sort { name: "google_key", makes: &[|rng| format!("AIza{}", of(rng, BASE64_URL, 35))], lines: NONE },
    Sort { name: "npm_token", makes: &[|rng| format!("npm_{}", of(rng, ALNUM, 36))], lines: NONE },
    Sort {
        name: "pypi_token",
        makes: &[|rng| format!("pypi-AgEIcHlwaS5vcmc{}", of(rng, BASE64_URL, 140))],
        lines: NONE,
    },
    Sort {
        name: "azure_key",
        makes: &[|rng| format!("AccountKey={}==", of(rng, BASE64, 86))],
        lines: &["storage: DefaultEndpointsProtocol=https;AccountName=logs;{};EndpointSuffix=core.windows.net"],
    },
    Sort {
        name: "api_key",
        makes: &[sendgrid, |rng| format!("sk-ant-api03-{}AA", of(rng, BASE64_URL, 93))],
        lines: NONE,
    },
    Sort {
        name: "url_password",
        makes: &[password],
        lines: &[
            "cannot connect to postgres://app:{}@db.example.com:5432/orders: timeout",
            r#"{"msg":"using","broker":"amqp://guest:{}@rabbit:5672/%2f"}"#,
            r#"{"log":"{\"dsn\":\"redis:\\/\\/:{}@cache:6379\\/0\"}","stream":"stderr"}"#,
            "fetching https://deploy:{}@git.example.com/shop.git",
        ],
    },
    Sort {
        name: "authorization",
        makes: &[|rng| format!("Bearer {}", of(rng, BASE64_URL, 43)), basic],
        lines: &[
            "> Authorization: {}",
            r#"{"headers":{"authorization":"{}","accept":"*/*"}}"#,
            r#"{"req":{"headers":{"Authorization":["{}"]}},"level":30}"#,
            "curl -H 'Authorization: {}' https://api.example.com/v1/items",
        ],
    },
    Sort {
        name: "secret",
        makes: &[password],
        lines: &[
            r#"{"event":"login","user":"bob","password":"{}"}"#,
            "login user=bob password={} result=failed",
            "POST /session?user=bob&password={}&remember=1",
            "{\"user\":{\"name\":\"bob\",\"passwd\":\"{}\"}}",
            "User{name=bob, password='{}'}",
            r#"{"log":"{\"client_id\":\"shop\",\"client_secret\":\"{}\"}\n","stream":"stdout"}"#,
            "DEBUG env: DB_HOST=db DB_PASSWORD={} DB_PORT=5432",
            "x-api-key: {}",
            r#"{"grant_type":"refresh_token","refresh_token":"{}"}"#,
            "connecting with Server=db;User Id=sa;Password={};Timeout=30",
        ],
    },
];

/// As generators of passwords make them, and people.
fn password(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => of(rng, ALNUM, 16),
        1 => format!("{}{}{}!", of(rng, UPPER, 1), of(rng, LOWER, 7), of(rng, DIGITS, 2)),
        _ => format!("{}-{}", of(rng, ALNUM, 6), of(rng, ALNUM, 6)),
    }
}

fn pem_with(rng: &mut Rng, line_end: &str) -> String {
    let label = *rng.pick(&["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"]);
    let lines: Vec<_> = (0..rng.between(3, 20)).map(|_| of(rng, BASE64, 64) + line_end).collect();
    format!("-----BEGIN {label}-----{line_end}{}-----END {label}-----", lines.concat())
}

fn pem(rng: &mut Rng) -> String {
    pem_with(rng, "\n")
}

fn escaped_pem(rng: &mut Rng) -> String {
    pem_with(rng, "\\n")
}

fn base64_url(text: &str) -> String {
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let number =
            three.iter().enumerate().fold(0u32, |number, (place, byte)| number | u32::from(*byte) << (16 - 8 * place));
        let sixes = (0..=three.len()).map(|place| BASE64_URL[(number >> (18 - 6 * place) & 63) as usize]);
        out.extend(sixes.map(char::from));
    }
    out
}

fn jwt(rng: &mut Rng) -> String {
    let header = *rng.pick(&[r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"typ":"JWT","alg":"RS256","kid":"k1"}"#]);
    let claims = format!(r#"{{"sub":"{}","iat":{}}}"#, of(rng, LOWER, 8), 1_795_000_000 + rng.below(1_000_000));
    format!("{}.{}.{}", base64_url(header), base64_url(&claims), of(rng, BASE64_URL, 43))
}

fn basic(rng: &mut Rng) -> String {
    let pair = format!("bob:{}", password(rng));
    let text = base64_url(&pair).replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    format!("Basic {text}{padding}")
}

fn aws_id(rng: &mut Rng) -> String {
    let start = *rng.pick(&["AKIA", "ASIA"]);
    format!("{start}{}", of(rng, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))
}

fn github_pat(rng: &mut Rng) -> String {
    format!("github_pat_{}_{}", of(rng, ALNUM, 22), of(rng, ALNUM, 59))
}

fn slack(rng: &mut Rng) -> String {
    format!("xoxb-{}-{}-{}", of(rng, DIGITS, 12), of(rng, DIGITS, 12), of(rng, ALNUM, 24))
}

fn slack_hook(rng: &mut Rng) -> String {
    let places = [of(rng, UPPER, 8), of(rng, UPPER, 8), of(rng, ALNUM, 24)];
    format!("hooks.slack.com/services/T{}/B{}/{}", places[0], places[1], places[2])
}

fn sendgrid(rng: &mut Rng) -> String {
    format!("SG.{}.{}", of(rng, BASE64_URL, 22), of(rng, HEX, 43))
}
