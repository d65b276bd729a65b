//! The rules of redaction: a list of sections, each of which is a rule.

use logkeep_record::TenantId;
use logkeep_redact::{Action, FieldPattern, Find, Kind, Rule, Rules, kinds_called};

use super::names;
use super::read::Reader;
use super::tree::{Kind as NodeKind, Node};

/// What a rule may say.
const PARTS: &[&str] = &["name", "find", "fields", "tenants", "services", "action"];
/// Reads the section.
pub(super) fn rules(reader: &mut Reader<'_>, tenants: &[TenantId]) -> Rules {
    let secrets = reader.value("redact.secrets", |text| action(text).map_err(|fault| (fault, Some(actions()))));
    let mut rules = Vec::new();
    if let Some(node) = reader.written("redact.rules") {
        match &node.kind {
            NodeKind::List(nodes) => rules.extend(nodes.iter().filter_map(|node| rule(reader, node, tenants))),
            other => {
                let message = format!("`redact.rules` is {}, expected a list", other.name());
                reader.fault(node.line, message, Some("write `- find: [email]` below it".into()));
            }
        }
    }
    Rules { rules, secrets: secrets.unwrap_or(Action::Mask) }
}

fn action(text: &str) -> Result<Action, String> {
    let found = Action::NAMES.iter().find(|(name, _)| *name == text);
    found.map(|(_, action)| *action).ok_or_else(|| format!("`{text}` is no action"))
}

fn actions() -> String {
    format!("one of {}", Action::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
}

/// A rule under construction.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    kinds: Vec<Kind>,
    fields: Vec<FieldPattern>,
    tenants: Vec<TenantId>,
    services: Vec<String>,
    action: Option<Action>,
}

fn rule(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<Rule> {
    let NodeKind::Map(entries) = &node.kind else {
        let message = format!("`redact.rules`: a rule is expected, not {}", node.kind.name());
        reader.fault(node.line, message, Some("write `- find: [email]`".into()));
        return None;
    };
    let faults_before = reader.fault_count();
    let mut draft = Draft::default();
    for entry in entries {
        if !PARTS.contains(&entry.key.as_str()) {
            let message = format!("`redact.rules`: unknown key `{}`", entry.key);
            reader.fault(entry.line, message, Some(format!("valid here: {}", PARTS.join(", "))));
            continue;
        }
        for (line, text) in texts(reader, "redact.rules", &entry.key, &entry.value) {
            if let Err((fault, hint)) = draft.take(&entry.key, text, tenants) {
                reader.fault(line, format!("`redact.rules`: {fault}"), hint);
            }
        }
    }
    if reader.fault_count() > faults_before {
        return None;
    }
    let line = node.line;
    match draft.finish() {
        Ok(rule) => Some(rule),
        Err((fault, hint)) => {
            reader.fault(line, format!("`redact.rules`: {fault}"), Some(hint.into()));
            None
        }
    }
}

/// A single value, or those of a list, of a key in a section.
pub(super) fn texts<'a>(reader: &mut Reader<'_>, section: &str, key: &str, node: &'a Node) -> Vec<(u64, &'a str)> {
    let nodes = match &node.kind {
        NodeKind::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut texts = Vec::new();
    for node in nodes {
        match &node.kind {
            NodeKind::Scalar(text) => texts.push((node.line, text.as_str())),
            other => {
                let message = format!("`{section}`: `{key}` has {}, expected a single value or a list", other.name());
                reader.fault(node.line, message, None);
            }
        }
    }
    texts
}

type DraftFault = (String, Option<String>);

impl Draft {
    fn take(&mut self, key: &str, text: &str, tenants: &[TenantId]) -> Result<(), DraftFault> {
        match key {
            "name" => self.name = Some(names::checked(text, "rule")?),
            "find" => self.kinds.extend(kinds_called(text).map_err(|error| (error.to_string(), Some(kinds())))?),
            "fields" => self.fields.push(FieldPattern::new(text).map_err(|error| (error.to_string(), None))?),
            "tenants" => {
                let known = tenants.iter().find(|tenant| tenant.as_str() == text);
                let fault = || (format!("tenant `{text}` is not declared"), Some("add it to `tenants`".to_owned()));
                self.tenants.push(known.ok_or_else(fault)?.clone());
            }
            "services" => self.services.push(text.to_owned()),
            _ => self.action = Some(action(text).map_err(|fault| (fault, Some(actions())))?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Rule, (&'static str, &'static str)> {
        let find = match (self.kinds.is_empty(), self.fields.is_empty()) {
            (false, true) => Find::Kinds(self.kinds),
            (true, false) => Find::Fields(self.fields),
            (true, true) => return Err(("a rule says nothing of what it is about", "give it `find` or `fields`")),
            (false, false) => return Err(("a rule has both `find` and `fields`", "make two of it")),
        };
        let action = self.action.unwrap_or(Action::Mask);
        let name = match (self.name, action) {
            (Some(name), _) => name,
            (None, Action::DropRecord) => {
                return Err(("a rule that drops records has no name", "give it a `name` for the loss ledger"));
            }
            (None, _) => String::new(),
        };
        Ok(Rule { name, find, tenants: self.tenants, services: self.services, action })
    }
}

fn kinds() -> String {
    let kinds = Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    format!("one of secrets, pii, national_id, {kinds}")
}

/// The rules as YAML in one line.
pub(super) fn print(rules: &Rules) -> String {
    let rules: Vec<_> = rules.rules.iter().map(print_rule).collect();
    format!("[{}]", rules.join(", "))
}

fn print_rule(rule: &Rule) -> String {
    let list = |texts: &mut dyn Iterator<Item = &str>| {
        format!("[{}]", texts.map(super::print::quoted).collect::<Vec<_>>().join(", "))
    };
    let mut parts = Vec::new();
    if !rule.name.is_empty() {
        parts.push(format!("name: {}", rule.name));
    }
    match &rule.find {
        Find::Kinds(kinds) => parts.push(format!("find: {}", list(&mut kinds.iter().map(|kind| kind.name())))),
        Find::Fields(fields) => parts.push(format!("fields: {}", list(&mut fields.iter().map(FieldPattern::as_str)))),
    }
    if !rule.tenants.is_empty() {
        parts.push(format!("tenants: {}", list(&mut rule.tenants.iter().map(TenantId::as_str))));
    }
    if !rule.services.is_empty() {
        parts.push(format!("services: {}", list(&mut rule.services.iter().map(String::as_str))));
    }
    parts.push(format!("action: {}", rule.action.name()));
    format!("{{{}}}", parts.join(", "))
}
