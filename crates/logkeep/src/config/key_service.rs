//! Who keeps the key that wraps all others: `keys`, `vault` and `aws_kms`.

use logkeep_store::{EndpointFault, KmsOptions, Profile, ServiceOptions, VaultOptions, is_plain};

use super::print::quoted;
use super::read::Reader;
use super::{Config, keys};

const PROVIDERS: [&str; 3] = ["local_file", VAULT, AWS_KMS];
const VAULT: &str = "vault";
const AWS_KMS: &str = "aws_kms";

/// The service; `None` if the key is in a file.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<ServiceOptions> {
    let provider = reader.value("keys.provider", |text| match PROVIDERS.iter().find(|name| **name == text) {
        Some(name) => Ok(*name),
        None => Err((format!("`{text}` is no provider"), Some(format!("one of {}", PROVIDERS.join(", "))))),
    })?;
    for section in [VAULT, AWS_KMS].into_iter().filter(|section| *section != provider) {
        refuse_unused(reader, section);
    }
    match provider {
        VAULT => vault(reader).map(ServiceOptions::Vault),
        AWS_KMS => aws_kms(reader).map(ServiceOptions::AwsKms),
        _ => return None,
    }
    .inspect(|_| refuse_key_file(reader))
}

/// Settings of a provider that is not the one would look as if they had an effect.
fn refuse_unused(reader: &mut Reader<'_>, section: &str) {
    for name in keys::names_under(section) {
        let key = format!("{section}.{name}");
        if reader.written(&key).is_some() {
            let message = format!("`{key}` has no effect without `keys.provider: {section}`");
            reader.fault(reader.line(&key), message, None);
        }
    }
}

fn refuse_key_file(reader: &mut Reader<'_>) {
    if reader.written("key_file").is_some() {
        let message = "`key_file` has no effect: `keys.provider` says that a service keeps the key".to_owned();
        let hint = "`logkeep keys move` takes data from a key file to a service".to_owned();
        reader.fault(reader.line("key_file"), message, Some(hint));
    }
}

fn vault(reader: &mut Reader<'_>) -> Option<VaultOptions> {
    let address = needed(reader, "vault.address", "https://vault.example.com:8200");
    let address = address.filter(|address| is_address(reader, "vault.address", address));
    let mount = reader.value("vault.mount", |text| path_of("mount", text));
    let key =
        needed(reader, "vault.key", "logkeep").and_then(|_| reader.value("vault.key", |text| name_of("key", text)));
    needed(reader, "vault.token_file", "/run/vault/token");
    let token_file = reader.path("vault.token_file");
    let ca_file = reader.path("vault.ca_file");
    let namespace = reader.written("vault.namespace").is_some();
    let namespace = namespace.then(|| reader.value("vault.namespace", |text| path_of("namespace", text))).flatten();
    Some(VaultOptions { address: address?, mount: mount?, key: key?, token_file: token_file?, ca_file, namespace })
}

fn aws_kms(reader: &mut Reader<'_>) -> Option<KmsOptions> {
    let key_id = needed(reader, "aws_kms.key_id", "alias/logkeep");
    let region = match (reader.written("aws_kms.region").is_some(), key_id.as_deref().and_then(region_of)) {
        (false, Some(region)) => Some(region),
        _ => needed(reader, "aws_kms.region", "eu-central-1")
            .and_then(|_| reader.value("aws_kms.region", |text| name_of("region", text))),
    };
    let endpoint = optional(reader, "aws_kms.endpoint");
    let endpoint = endpoint.filter(|endpoint| is_address(reader, "aws_kms.endpoint", endpoint));
    let name = reader.value("aws_kms.profile", |text| Ok(text.to_owned()));
    let file = reader.path("aws_kms.credentials_file");
    if file.is_none() && reader.written("aws_kms.profile").is_some() {
        let message = "`aws_kms.profile` has no effect without `aws_kms.credentials_file`".to_owned();
        reader.fault(reader.line("aws_kms.profile"), message, None);
    }
    let profile = file.zip(name).map(|(file, name)| Profile { file, name });
    Some(KmsOptions { key_id: key_id?, region: region?, endpoint, profile })
}

/// The fourth part of `arn:aws:kms:<region>:…`.
fn region_of(key_id: &str) -> Option<String> {
    let arn: Vec<&str> = key_id.splitn(6, ':').collect();
    match arn.as_slice() {
        ["arn", _, "kms", region, _, _] if !region.is_empty() => Some((*region).to_owned()),
        _ => None,
    }
}

fn optional(reader: &mut Reader<'_>, key: &str) -> Option<String> {
    reader.written(key).and_then(|_| reader.value(key, |text| Ok(text.to_owned())))
}

fn needed(reader: &mut Reader<'_>, key: &str, example: &str) -> Option<String> {
    let found = optional(reader, key).filter(|text| !text.is_empty());
    if found.is_none() {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let message = format!("`{key}` is missing, which `keys.provider: {section}` needs");
        reader.fault(reader.line("keys.provider"), message, Some(format!("for example `{name}: {example}`")));
    }
    found
}

fn is_address(reader: &mut Reader<'_>, key: &str, text: &str) -> bool {
    let what = match is_plain(text, false) {
        Ok(_) => return true,
        Err(EndpointFault::None) => format!("`{text}` is no address such as `https://keys.example.com`"),
        // Not repeated.
        Err(EndpointFault::Credentials) => "holds credentials".to_owned(),
        Err(EndpointFault::Trailing) => format!("`{text}` must end with the host, the port or a path"),
        Err(EndpointFault::Plaintext) => format!("`{text}`: without TLS keys are sent only within this machine"),
        Err(EndpointFault::Scheme) => format!("`{text}` must begin with `https://`"),
    };
    reader.fault(reader.line(key), format!("`{key}`: {what}"), None);
    false
}

type Named = Result<String, (String, Option<String>)>;

/// What becomes a part of an address.
fn name_of(what: &str, text: &str) -> Named {
    let fits = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if text.is_empty() || text.starts_with('.') || !text.chars().all(fits) {
        return Err((format!("`{text}` is no name of a {what}"), Some("letters, digits, `-`, `_` and `.`".into())));
    }
    Ok(text.to_owned())
}

fn path_of(what: &str, text: &str) -> Named {
    text.trim_end_matches('/')
        .split('/')
        .map(|part| name_of(what, part))
        .collect::<Result<Vec<_>, _>>()
        .map(|parts| parts.join("/"))
}

/// The value of one of these keys, as YAML.
pub(super) fn print(config: &Config, path: &str) -> String {
    let shown = match (&config.key_service, path) {
        (service, "keys.provider") => {
            return match service {
                None => PROVIDERS[0],
                Some(ServiceOptions::Vault(_)) => VAULT,
                Some(ServiceOptions::AwsKms(_)) => AWS_KMS,
            }
            .to_owned();
        }
        (Some(ServiceOptions::Vault(vault)), _) => of_vault(vault, path),
        (Some(ServiceOptions::AwsKms(kms)), _) => of_kms(kms, path),
        (None, _) => None,
    };
    shown.map_or_else(|| "~".to_owned(), |text| quoted(&text))
}

fn of_vault(vault: &VaultOptions, path: &str) -> Option<String> {
    match path {
        "vault.address" => Some(vault.address.clone()),
        "vault.mount" => Some(vault.mount.clone()),
        "vault.key" => Some(vault.key.clone()),
        "vault.token_file" => Some(vault.token_file.to_string_lossy().into_owned()),
        "vault.ca_file" => vault.ca_file.as_ref().map(|file| file.to_string_lossy().into_owned()),
        "vault.namespace" => vault.namespace.clone(),
        _ => None,
    }
}

fn of_kms(kms: &KmsOptions, path: &str) -> Option<String> {
    match path {
        "aws_kms.key_id" => Some(kms.key_id.clone()),
        "aws_kms.region" => Some(kms.region.clone()),
        "aws_kms.endpoint" => kms.endpoint.clone(),
        "aws_kms.credentials_file" => kms.profile.as_ref().map(|found| found.file.to_string_lossy().into_owned()),
        "aws_kms.profile" => kms.profile.as_ref().map(|found| found.name.clone()),
        _ => None,
    }
}
