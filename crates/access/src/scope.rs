//! Which rows somebody may read.

use std::collections::BTreeSet;

use logkeep_record::{Class, Resource, Value};
use serde::{Deserialize, Serialize};

/// Names in one list of a scope at most, and bytes in each.
const MOST_NAMES: usize = 100;
const MOST_BYTES: usize = 256;

/// Rows by who emitted them. An empty list admits everybody; a scope without any name is none.
///
/// What counts is the resource of a record, by which it was sealed: a record cannot claim another one by its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Values of `service.name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Values of `k8s.namespace.name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub namespaces: BTreeSet<String>,
    /// Classes; that of traces is `spans`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub classes: BTreeSet<String>,
}

impl Scope {
    fn lists(&self) -> [(&'static str, &BTreeSet<String>); 3] {
        [("services", &self.services), ("namespaces", &self.namespaces), ("classes", &self.classes)]
    }

    /// What is wrong with it, if anything is.
    pub fn fault(&self) -> Option<String> {
        if self.lists().iter().all(|(_, names)| names.is_empty()) {
            return Some("a scope needs a name of a service, a namespace or a class".to_owned());
        }
        for (list, names) in self.lists() {
            if names.len() > MOST_NAMES {
                return Some(format!("`{list}` has more than {MOST_NAMES} names"));
            }
            let is_bad = |name: &&String| name.is_empty() || name.len() > MOST_BYTES || name.contains(char::is_control);
            if let Some(name) = names.iter().find(is_bad) {
                return Some(format!("`{list}` has `{}`; a name has 1 to {MOST_BYTES} bytes", name.escape_debug()));
            }
        }
        None
    }

    /// Whether it admits nothing that the other does not.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let narrows = |(own, all): (&BTreeSet<String>, &BTreeSet<String>)| {
            all.is_empty() || (!own.is_empty() && own.is_subset(all))
        };
        let pairs = self.lists().map(|(_, names)| names).into_iter().zip(other.lists().map(|(_, names)| names));
        pairs.into_iter().all(narrows)
    }

    /// Whether records of this class and resource are in it.
    pub fn admits(&self, class: &Class, resource: &Resource) -> bool {
        let has = |names: &BTreeSet<String>, attribute: &str| {
            names.is_empty()
                || resource.attribute(attribute).and_then(Value::as_str).is_some_and(|value| names.contains(value))
        };
        (self.classes.is_empty() || self.classes.contains(class.as_str()))
            && has(&self.services, "service.name")
            && has(&self.namespaces, "k8s.namespace.name")
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lists = self.lists().into_iter().filter(|(_, names)| !names.is_empty());
        for (place, (list, names)) in lists.enumerate() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            write!(f, "{}{list}: {}", if place == 0 { "" } else { "; " }, names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn rows_by_who_emitted_them() {
        let resource = |service: &'static str, namespace: &'static str| {
            Resource::from_attributes(vec![
                ("service.name".into(), Value::str(service)),
                ("k8s.namespace.name".into(), Value::str(namespace)),
            ])
        };
        let default = Class::default();
        let check = |text: &str, class: &Class, service, namespace, expected: bool| {
            let admits = scope(text).admits(class, &resource(service, namespace));
            assert_eq!(admits, expected, "{text} {class} {service} {namespace}");
        };
        check(r#"{"services": ["cart", "pay"]}"#, &default, "pay", "x", true);
        check(r#"{"services": ["cart", "pay"]}"#, &default, "payment", "x", false);
        check(r#"{"services": ["cart"], "namespaces": ["shop"]}"#, &default, "cart", "shop", true);
        check(r#"{"services": ["cart"], "namespaces": ["shop"]}"#, &default, "cart", "test", false);
        check(r#"{"classes": ["spans"]}"#, &Class::spans(), "any", "any", true);
        check(r#"{"classes": ["spans"]}"#, &default, "any", "any", false);
        let nobody = Resource::from_attributes(vec![]);
        assert!(!scope(r#"{"services": ["cart"]}"#).admits(&default, &nobody));
    }

    #[test]
    fn narrower_and_wider() {
        let check = |own: &str, other: &str, expected: bool| {
            assert_eq!(scope(own).is_within(&scope(other)), expected, "{own} in {other}");
        };
        let (cart, both) = (r#"{"services": ["cart"]}"#, r#"{"services": ["cart", "pay"]}"#);
        check(cart, cart, true);
        check(cart, both, true);
        check(both, cart, false);
        check(cart, r#"{"namespaces": ["shop"]}"#, false);
        check(r#"{"services": ["cart"], "namespaces": ["shop"]}"#, cart, true);
        check(cart, r#"{"services": ["cart"], "namespaces": ["shop"]}"#, false);
        check(r#"{"classes": ["spans"]}"#, r#"{"classes": ["spans", "default"]}"#, true);
    }

    #[test]
    fn faults() {
        for bad in ["{}", r#"{"services": [""]}"#, r#"{"services": ["a\nb"]}"#] {
            assert!(scope(bad).fault().is_some(), "{bad}");
        }
        assert_eq!(scope(r#"{"services": ["cart"]}"#).fault(), None);
        assert!(
            serde_json::from_str::<Scope>(r#"{"service": ["cart"]}"#).is_err(),
            "a list that is misspelt limits nothing"
        );
        let text = scope(r#"{"services": ["b", "a"], "classes": ["spans"]}"#).to_string();
        assert_eq!(text, "services: a, b; classes: spans");
    }
}
