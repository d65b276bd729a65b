//! Every key there is, in the order `config print` shows them.

use std::borrow::Cow;
use std::sync::LazyLock;

use logkeep_server::PORTS;

/// A configuration file of more than this is surely something else.
pub(super) const FILE_BYTES: u64 = 1 << 20;

/// One key of the file.
pub(super) struct Key {
    /// Sections and name, joined by dots.
    pub(super) path: Cow<'static, str>,
    /// Its value where the file has none; empty where it is derived.
    pub(super) default: Cow<'static, str>,
    /// What it is, in one line.
    pub(super) about: Cow<'static, str>,
}

fn key(path: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { path: path.into(), default: default.into(), about: about.into() }
}

pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let receiver = |port: &logkeep_server::Port| Key {
        path: port.setting().into(),
        default: format!("127.0.0.1:{}", port.number).into(),
        about: format!("{}, or off", port.about).into(),
    };
    let before = [
        key("data_dir", "./logkeep-data", "folder that holds everything but the key"),
        key("key_file", "", "file of the key that seals the data; never inside data_dir (default: <data_dir>.key)"),
        key("keys.provider", "local_file", "who keeps the key that seals the data: local_file, vault or aws_kms"),
        key("vault.address", "", "address of Vault, `https://…` (docs/guide/keys.md)"),
        key("vault.mount", "transit", "where its Transit engine is mounted"),
        key("vault.key", "", "name of its key"),
        key("vault.token_file", "", "file of the token, which may be renewed at any time"),
        key("vault.ca_file", "", "authorities that certify it, PEM, instead of the system's"),
        key("vault.namespace", "", "namespace, where there are any"),
        key("aws_kms.key_id", "", "id, ARN or alias of the key in AWS KMS (docs/guide/keys.md)"),
        key("aws_kms.region", "", "its region (default: that of its ARN)"),
        key("aws_kms.endpoint", "", "address of the service, instead of that of AWS in the region"),
        key("aws_kms.credentials_file", "", "file of credentials, instead of what the environment says"),
        key("aws_kms.profile", "default", "section of that file"),
        key("listen.main", "127.0.0.1:7280", "API and UI"),
    ];
    let after = [
        key(
            "tls.certificate",
            "",
            "certificate of all listeners with its chain, PEM; without one nothing is encrypted",
        ),
        key("tls.key", "", "its private key, PEM"),
        key("tls.client_ca", "", "authorities that issue certificates to senders, PEM"),
        key(
            "tls.trust_domains",
            "{}",
            "by trust domain of SPIFFE, the file of the authorities that alone speak for its ids, PEM",
        ),
        key("tls.client_certificates", "off", "whether senders are asked for one: off, optional or required"),
        key(
            "forward.shared_key_file",
            "",
            "file with the key that Forward senders must know; without one, any may send",
        ),
        key("forward.users_file", "", "file of `user:password` lines that they must know as well"),
        key("limits.request_bytes", "16MiB", "largest request body, before decompression"),
        key("limits.record_bytes", "1MiB", "largest record in its source form; longer ones are cut"),
        key("query.timeout", "30s", "time a query may take"),
        key("query.memory", "512MiB", "memory that SQL queries may use together"),
        key("query.cache", "48MiB", "memory for columns that were read lately"),
        key("query.index_memory", "1GiB", "memory for the indexes of segments that queries have opened"),
        key("tenants", "default", "names senders may use; `default` always exists"),
        key("sources.kafka", "[]", "topics of Kafka to read, a section for each cluster and consumer group"),
        key("sources.nats", "[]", "streams or subjects of NATS to read, a section for each"),
        key("patterns", "{}", "patterns for grok in pipelines, by name, beside those that it knows"),
        key("pipelines", "[]", "what is done to records before they are redacted and stored (docs/guide/pipelines.md)"),
        key(
            "redact.secrets",
            "mask",
            "what becomes of secrets that no rule is about: mask, hash, drop_field, drop_record or keep",
        ),
        key("redact.rules", "[]", "what else is hidden, and how; the first rule that is about a value decides"),
        key("flush.bytes", "40MiB", "live records become a segment at this size"),
        key("flush.interval", "30s", "or at this age, or a sixth of it after the last of a burst"),
        key(
            "access.loopback",
            "sign_in",
            "whether whoever is on this machine may read without signing in: open or sign_in",
        ),
        key("access.masked", "[]", "fields that only those see who may unmask them; `user.*` is all below `user`"),
        key("access.policies", "", "folder of further Cedar policies, files `*.cedar`"),
        key("access.export_rows", "100000", "rows that one answer may have; more is denied"),
        key(
            "access.export_rows_a_day",
            "10000000",
            "rows that one person, their tokens among them, may read in a day; more is denied",
        ),
        key(
            "access.certificates",
            "",
            "what names in client certificates may do; without it they may send for `default`, and read nothing",
        ),
        key("access.session_idle", "1h", "a session ends when it has not been used for so long"),
        key("access.session_max", "12h", "and after so long in any case"),
        key(
            "access.second_factor",
            "optional",
            "whether people who sign in with a password need a code of an app as well: optional or required",
        ),
        key("oidc.issuer", "", "provider at which people can sign in as well, by its address (docs/guide/access.md)"),
        key("oidc.client_id", "", "the name it knows us by"),
        key("oidc.client_secret_file", "", "file of what it knows us by beside that; a public client has none"),
        key("oidc.scopes", "[profile]", "what is asked for beside `openid`"),
        key("oidc.groups_claim", "groups", "claim of the ID token that has the groups of whoever signs in"),
        key("oidc.roles", "{}", "roles of each group; who is in none of these is not let in"),
        key("oidc.label", "", "what the button calls it (default: single sign-on)"),
        key("oidc.public_url", "", "where browsers find this server (default: as they call it)"),
        key("dedupe.window", "24h", "a retry of a batch or a document is known for so long"),
        key("dedupe.batches", "1048576", "or, if fewer, of the latest so many batches, about 60 bytes of memory each"),
        key("dedupe.documents", "262144", "and of the latest so many documents with an `_id`, about 100 bytes each"),
        key("disk.reserve", "64MiB", "space held back for the audit trail and the catalog when the disk is full"),
        key(
            "hardening.landlock",
            "best_effort",
            "files that the configuration does not name are out of reach: require, best_effort or off",
        ),
        key("hardening.seccomp", "on", "calls of the system that a log server never makes are refused: on or off"),
        key("log.level", "info", "what Logkeep says about itself: error, warn, info, debug or trace"),
        key("elasticsearch.version", "8.17.0", "version the Elasticsearch API claims"),
    ];
    before.into_iter().chain(PORTS.iter().map(receiver)).chain(after).collect()
});

/// The key at `path`; every caller names one of the table.
pub(super) fn find(path: &str) -> &'static Key {
    KEYS.iter().find(|key| key.path == path).expect("callers name keys of the table, which a test walks in full")
}

/// Names that may stand under `section` (empty for the top).
pub(super) fn names_under(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = KEYS
        .iter()
        .filter_map(|key| match section {
            "" => Some(&*key.path),
            section => key.path.strip_prefix(section)?.strip_prefix('.'),
        })
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    names.dedup();
    names
}

/// Whether `path` has keys below it.
pub(super) fn is_section(path: &str) -> bool {
    !names_under(path).is_empty()
}
