//! The provider at which people sign in: a section, and in it a map of the provider's groups to our roles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use logkeep_server::{OidcOptions, Role};

use super::Config;
use super::print::quoted;
use super::read::Reader;
use super::redact::texts;
use super::tree::{Kind, Node};

/// What the button says where the operator says nothing.
const LABEL: &str = "single sign-on";
/// Letters of a label at most: it stands on a button.
const LABEL_LETTERS: usize = 40;

/// A provider at which people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The URL under which it says what it has.
    pub issuer: String,
    /// The name it knows us by.
    pub client_id: String,
    /// File of what it knows us by beside that.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with the groups.
    pub groups_claim: String,
    /// What whoever is in a group may do.
    pub roles: BTreeMap<String, BTreeSet<Role>>,
    /// What people call it.
    pub label: String,
    /// Where browsers find us, if it is not what they call us by.
    pub public_url: Option<String>,
}

/// Reads the section; without an issuer there is none.
pub(super) fn oidc(reader: &mut Reader<'_>) -> Option<Oidc> {
    let issuer = optional(reader, "oidc.issuer", |text| match OidcOptions::issuer_fault(text) {
        None => Ok(text.to_owned()),
        Some(fault) => Err((format!("`{text}`: {fault}"), None)),
    });
    if reader.written("oidc.issuer").is_none() {
        let others = ["oidc.client_id", "oidc.client_secret_file", "oidc.roles", "oidc.label", "oidc.public_url"];
        let says_something = |node: &&Node| !matches!(&node.kind, Kind::Map(entries) if entries.is_empty());
        if let Some(node) = others.iter().find_map(|key| reader.written(key).filter(says_something)) {
            let hint = "the provider's address, under which it has `/.well-known/openid-configuration`";
            reader.fault(node.line, "`oidc.issuer` is missing".to_owned(), Some(hint.into()));
        }
        return None;
    }
    let line = reader.line("oidc.issuer");
    let client_id = optional(reader, "oidc.client_id", |text| Ok(text.to_owned()));
    if client_id.is_none() {
        reader.fault(line, "`oidc.client_id` is missing".into(), Some("the name that the provider knows us by".into()));
    }
    let roles = roles(reader);
    if roles.is_empty() {
        let hint = "write `roles: {GROUP: analyst}`: who is in no such group is not let in";
        reader.fault(line, "`oidc.roles` names no group".to_owned(), Some(hint.into()));
    }
    let oidc = Oidc {
        issuer: issuer.unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        client_secret_file: reader.path("oidc.client_secret_file"),
        scopes: scopes(reader),
        groups_claim: reader.value("oidc.groups_claim", |text| Ok(text.to_owned())).unwrap_or_default(),
        roles,
        label: optional(reader, "oidc.label", label).unwrap_or_else(|| LABEL.to_owned()),
        public_url: optional(reader, "oidc.public_url", public_url),
    };
    Some(oidc)
}

/// A value that need not be given.
fn optional<T>(
    reader: &mut Reader<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T, (String, Option<String>)>,
) -> Option<T> {
    reader.written(key)?;
    reader.value(key, |text| if text.is_empty() { Err(("is empty".to_owned(), None)) } else { parse(text) })
}

fn label(text: &str) -> Result<String, (String, Option<String>)> {
    let fits = text.chars().count() <= LABEL_LETTERS && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err((format!("is longer than {LABEL_LETTERS} letters"), None)) }
}

fn public_url(text: &str) -> Result<String, (String, Option<String>)> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = host.map(|host| host.trim_end_matches('/'));
    match host.filter(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err((format!("`{text}` is no address"), Some("like `https://logs.example.com`".to_owned()))),
    }
}

fn scopes(reader: &mut Reader<'_>) -> Vec<String> {
    let Some(node) = reader.written("oidc.scopes") else { return vec!["profile".to_owned()] };
    texts(reader, "oidc", "scopes", node).into_iter().map(|(_, text)| text.to_owned()).collect()
}

fn roles(reader: &mut Reader<'_>) -> BTreeMap<String, BTreeSet<Role>> {
    let Some(node) = reader.written("oidc.roles") else { return BTreeMap::new() };
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`oidc.roles` is {}, expected a section", node.kind.name());
        reader.fault(node.line, message, Some("write `GROUP: analyst` below it".into()));
        return BTreeMap::new();
    };
    let mut roles: BTreeMap<String, BTreeSet<Role>> = BTreeMap::new();
    for entry in entries {
        for (line, text) in texts(reader, "oidc.roles", &entry.key, &entry.value) {
            if let Some(role) = Role::named(text) {
                roles.entry(entry.key.clone()).or_default().insert(role);
            } else {
                let hint = format!("one of {}", Role::ALL.map(Role::name).join(", "));
                reader.fault(line, format!("`oidc.roles`: there is no role `{text}`"), Some(hint));
            }
        }
    }
    roles
}

/// One value as YAML.
pub(super) fn print(config: &Config, key: &str) -> String {
    let list =
        |texts: &mut dyn Iterator<Item = &str>| format!("[{}]", texts.map(quoted).collect::<Vec<_>>().join(", "));
    let Some(oidc) = &config.oidc else {
        return match key {
            "scopes" => "[\"profile\"]".to_owned(),
            "groups_claim" => "groups".to_owned(),
            "roles" => "{}".to_owned(),
            _ => "~".to_owned(),
        };
    };
    match key {
        "issuer" => quoted(&oidc.issuer),
        "client_id" => quoted(&oidc.client_id),
        "client_secret_file" => {
            oidc.client_secret_file.as_ref().map_or("~".to_owned(), |path| quoted(&path.to_string_lossy()))
        }
        "scopes" => list(&mut oidc.scopes.iter().map(String::as_str)),
        "groups_claim" => quoted(&oidc.groups_claim),
        "roles" => {
            let group = |(group, roles): (&String, &BTreeSet<Role>)| {
                format!("{}: {}", quoted(group), list(&mut roles.iter().map(|role| role.name())))
            };
            format!("{{{}}}", oidc.roles.iter().map(group).collect::<Vec<_>>().join(", "))
        }
        "label" => quoted(&oidc.label),
        _ => oidc.public_url.as_ref().map_or("~".to_owned(), |url| quoted(url)),
    }
}
