//! What names in client certificates may do: a list of sections, each of which is a rule.

use std::collections::BTreeSet;

use logkeep_record::TenantId;
use logkeep_server::{CertificateRule, CertificateRules, NamePattern, Role};

use super::print::quoted;
use super::read::Reader;
use super::tree::{Entry, Kind, Node};

const PATH: &str = "access.certificates";
/// What a rule may say.
const PARTS: &[&str] = &["name", "roles", "tenants"];
const EXAMPLE: &str = "write `- {name: \"spiffe://mesh.example/ns/*/sa/web\", roles: [collector]}` below it";

/// What is wrong with a part, and what to do.
type PartFault = (String, Option<String>);

/// Reads the section.
pub(super) fn rules(reader: &mut Reader<'_>, tenants: &[TenantId]) -> CertificateRules {
    let Some(node) = reader.written(PATH) else { return CertificateRules::default() };
    let Kind::List(nodes) = &node.kind else {
        reader.fault(node.line, format!("`{PATH}` is {}, expected a list", node.kind.name()), Some(EXAMPLE.into()));
        return CertificateRules::default();
    };
    CertificateRules::new(nodes.iter().filter_map(|node| rule(reader, node, tenants)).collect())
}

/// A rule under construction.
#[derive(Default)]
struct Draft {
    name: Option<NamePattern>,
    roles: BTreeSet<Role>,
    tenants: Vec<TenantId>,
}

fn rule(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<CertificateRule> {
    let Kind::Map(entries) = &node.kind else {
        reader.fault(node.line, format!("`{PATH}` has {}, expected a section", node.kind.name()), Some(EXAMPLE.into()));
        return None;
    };
    let faults_before = reader.fault_count();
    let mut draft = Draft::default();
    for Entry { line, key, value } in entries {
        if !PARTS.contains(&key.as_str()) {
            let hint = format!("valid here: {}", PARTS.join(", "));
            reader.fault(*line, format!("`{PATH}`: unknown key `{key}`"), Some(hint));
            continue;
        }
        let values = if let Kind::List(nodes) = &value.kind { nodes.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            let taken = match &value.kind {
                Kind::Scalar(text) => draft.take(key, text, tenants),
                other => Err((format!("`{key}` has {}, expected a single value or a list", other.name()), None)),
            };
            if let Err((fault, hint)) = taken {
                reader.fault(value.line, format!("`{PATH}`: {fault}"), hint);
            }
        }
    }
    let missing = [("name", draft.name.is_none()), ("roles", draft.roles.is_empty())];
    if reader.fault_count() == faults_before
        && let Some((part, _)) = missing.into_iter().find(|(_, is_missing)| *is_missing)
    {
        reader.fault(node.line, format!("`{PATH}`: a rule has no `{part}`"), Some(EXAMPLE.into()));
    }
    (reader.fault_count() == faults_before).then(|| draft.finish())?
}

impl Draft {
    fn take(&mut self, key: &str, text: &str, tenants: &[TenantId]) -> Result<(), PartFault> {
        match key {
            "name" if self.name.is_some() => {
                return Err(("a rule has one `name`".to_owned(), Some("make two of it".into())));
            }
            "name" => {
                let pattern = NamePattern::new(text);
                self.name = Some(pattern.map_err(|error| (format!("`{text}`: {error}"), None))?);
            }
            "roles" => {
                let all = || Some(format!("one of {}", Role::ALL.map(Role::name).join(", ")));
                self.roles.insert(Role::named(text).ok_or_else(|| (format!("there is no role `{text}`"), all()))?);
            }
            _ => {
                let known = tenants.iter().find(|tenant| tenant.as_str() == text);
                let fault = || (format!("tenant `{text}` is not declared"), Some("add it to `tenants`".to_owned()));
                self.tenants.push(known.ok_or_else(fault)?.clone());
            }
        }
        Ok(())
    }

    fn finish(self) -> Option<CertificateRule> {
        let tenants = if self.tenants.is_empty() { vec![TenantId::default()] } else { self.tenants };
        Some(CertificateRule { name: self.name?, roles: self.roles, tenants })
    }
}

/// The rules as YAML in one line.
pub(super) fn print(rules: &CertificateRules) -> String {
    let Some(rules) = rules.written() else { return "~".to_owned() };
    let rules: Vec<_> = rules.iter().map(print_rule).collect();
    format!("[{}]", rules.join(", "))
}

fn print_rule(rule: &CertificateRule) -> String {
    let roles: Vec<_> = rule.roles.iter().map(|role| role.name()).collect();
    let tenants: Vec<_> = rule.tenants.iter().map(|tenant| quoted(tenant.as_str())).collect();
    let name = quoted(&rule.name.to_string());
    format!("{{name: {name}, roles: [{}], tenants: [{}]}}", roles.join(", "), tenants.join(", "))
}
