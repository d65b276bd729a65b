//! A [`Config`] back to YAML.

use std::path::PathBuf;

use logkeep_record::json;

use super::units::{format_bytes, format_duration};
use super::{
    ClientCertificates, Config, Landlock, Listener, certificates, key_service, keys, oidc, pipelines, redact, sources,
};

pub(super) fn to_yaml(config: &Config) -> String {
    let mut out = String::new();
    let mut section = "";
    for key in keys::KEYS.iter() {
        let (parent, name) = key.path.split_once('.').unwrap_or(("", &key.path));
        if parent != section && !parent.is_empty() {
            out.push_str(&format!("{parent}:\n"));
        }
        section = parent;
        let indent = if parent.is_empty() { "" } else { "  " };
        let value = value(config, &key.path);
        let default = match &*key.default {
            "" => String::new(),
            default => format!(" (default: {default})"),
        };
        out.push_str(&format!("{indent}# {}{default}\n{indent}{name}: {value}\n", key.about));
    }
    out
}

fn value(config: &Config, path: &str) -> String {
    let file = |path: &Option<PathBuf>| path.as_ref().map_or("~".to_owned(), |path| quoted(&path.to_string_lossy()));
    let listen = &config.listen;
    match path {
        "data_dir" => quoted(&config.data_dir.to_string_lossy()),
        "key_file" if config.key_service.is_some() => "~".to_owned(),
        "key_file" => quoted(&config.key_file().to_string_lossy()),
        path if path.starts_with("keys.") || path.starts_with("vault.") || path.starts_with("aws_kms.") => {
            key_service::print(config, path)
        }
        "listen.main" => listener(Some(&listen.main)),
        "tls.certificate" => file(&config.tls.certificate),
        "tls.key" => file(&config.tls.key),
        "tls.client_ca" => file(&config.tls.client_ca),
        "tls.trust_domains" => {
            let file = |(domain, file): (&String, &PathBuf)| format!("{domain}: {}", quoted(&file.to_string_lossy()));
            format!("{{{}}}", config.tls.trust_domains.iter().map(file).collect::<Vec<_>>().join(", "))
        }
        "tls.client_certificates" => {
            config.tls.client_certificates.unwrap_or(ClientCertificates::Off).as_str().to_owned()
        }
        "forward.shared_key_file" => file(&config.forward.shared_key_file),
        "forward.users_file" => file(&config.forward.users_file),
        "limits.request_bytes" => format_bytes(config.limits.request_bytes as u64),
        "limits.record_bytes" => format_bytes(config.limits.record_bytes as u64),
        "query.timeout" => format_duration(config.query.timeout),
        "query.memory" => format_bytes(config.query.memory_bytes as u64),
        "query.cache" => format_bytes(config.query.cache_bytes as u64),
        "query.index_memory" => format_bytes(config.query.index_bytes as u64),
        "tenants" => {
            let names: Vec<_> = config.tenants.iter().map(|tenant| quoted(tenant.as_str())).collect();
            format!("[{}]", names.join(", "))
        }
        "sources.kafka" => sources::print(&config.sources, "kafka"),
        "sources.nats" => sources::print(&config.sources, "nats"),
        "patterns" => pipelines::print_patterns(&config.patterns),
        "pipelines" => pipelines::print(&config.pipelines),
        "redact.secrets" => config.redact.secrets.name().to_owned(),
        "redact.rules" => redact::print(&config.redact),
        "flush.bytes" => format_bytes(config.flush.bytes as u64),
        "flush.interval" => format_duration(config.flush.interval),
        "access.loopback" => if config.access.loopback_is_open { "open" } else { "sign_in" }.to_owned(),
        "access.masked" => {
            let fields: Vec<_> = config.access.masked.iter().map(|field| quoted(field)).collect();
            format!("[{}]", fields.join(", "))
        }
        "access.policies" => file(&config.access.policies),
        "access.export_rows" => config.access.export_rows.to_string(),
        "access.export_rows_a_day" => config.access.export_rows_a_day.to_string(),
        "access.certificates" => certificates::print(&config.access.certificates),
        "access.session_idle" => format_duration(config.access.session_idle),
        "access.session_max" => format_duration(config.access.session_max),
        "access.second_factor" => {
            if config.access.second_factor_is_required { "required" } else { "optional" }.to_owned()
        }
        "dedupe.window" => format_duration(config.dedupe.window),
        "dedupe.batches" => config.dedupe.batches.to_string(),
        "dedupe.documents" => config.dedupe.documents.to_string(),
        "disk.reserve" => format_bytes(config.reserve_bytes),
        "hardening.landlock" => {
            let name = |(_, wanted): &&(&str, Landlock)| *wanted == config.hardening.landlock;
            Landlock::NAMES.iter().find(name).map_or("off", |(name, _)| name).to_owned()
        }
        "hardening.seccomp" => if config.hardening.seccomp { "on" } else { "off" }.to_owned(),
        "log.level" => config.log_level.clone(),
        "elasticsearch.version" => quoted(&config.elasticsearch_version),
        other if other.starts_with("oidc.") => oidc::print(config, &other["oidc.".len()..]),
        other => match listen.receivers.iter().find(|(port, _)| port.setting() == other) {
            Some((_, at)) => listener(at.as_ref()),
            None => unreachable!("`{other}` is in the table of keys but not printed"),
        },
    }
}

/// An address, or a section of it and of what is special about it.
fn listener(listener: Option<&Listener>) -> String {
    let Some(Listener { address, plaintext, senders, tls, .. }) = listener else { return "off".to_owned() };
    let address = quoted(&address.to_string());
    let mut special = Vec::new();
    if *plaintext {
        special.push("plaintext: true".to_owned());
    }
    special.extend(senders.map(|demand| format!("senders: {}", demand.as_str())));
    for (name, file) in [("certificate", &tls.certificate), ("key", &tls.key), ("client_ca", &tls.client_ca)] {
        special.extend(file.as_ref().map(|file| format!("{name}: {}", quoted(&file.to_string_lossy()))));
    }
    special.extend(tls.client_certificates.map(|asked| format!("client_certificates: {}", asked.as_str())));
    if special.is_empty() { address } else { format!("{{address: {address}, {}}}", special.join(", ")) }
}

/// A YAML double-quoted scalar, which JSON's strings are.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    json::write_str(text, &mut out);
    out
}
