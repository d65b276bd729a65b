//! What is to be done with what is found.

use std::sync::Arc;

use logkeep_record::TenantId;

use crate::field::{FieldPattern, glob};
use crate::kind::{Kind, KindSet};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A marker that says what was there.
    Mask,
    /// A marker with a keyed hash, so that equal values stay equal.
    Hash,
    /// The attribute goes; in a text, the marker.
    DropField,
    /// The record goes, and is counted.
    DropRecord,
    /// Nothing.
    Keep,
}

impl Action {
    /// All of them, by the names that configuration has.
    pub const NAMES: &[(&str, Self)] = &[
        ("mask", Self::Mask),
        ("hash", Self::Hash),
        ("drop_field", Self::DropField),
        ("drop_record", Self::DropRecord),
        ("keep", Self::Keep),
    ];

    /// As configuration has it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, action)| *action == self).map_or("", |(name, _)| name)
    }
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Find {
    /// What these recognise, wherever it is.
    Kinds(Vec<Kind>),
    /// Everything in fields of these names.
    Fields(Vec<FieldPattern>),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Under which records that it drops are counted.
    pub name: String,
    /// What it is about.
    pub find: Find,
    /// Only records of these tenants; empty for all.
    pub tenants: Vec<TenantId>,
    /// Only records of services of these names, with `*` for any characters; empty for all.
    pub services: Vec<String>,
    /// What becomes of it.
    pub action: Action,
}

impl Rule {
    fn is_for(&self, tenant: &TenantId, service: &str) -> bool {
        let is_service = |pattern: &String| glob(pattern.as_bytes(), service.as_bytes());
        (self.tenants.is_empty() || self.tenants.contains(tenant))
            && (self.services.is_empty() || self.services.iter().any(is_service))
    }
}

/// All rules; the first that is about a value decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// In their order.
    pub rules: Vec<Rule>,
    /// For secrets that no rule is about.
    pub secrets: Action,
}

impl Default for Rules {
    /// Secrets are masked, and nothing else is touched.
    fn default() -> Self {
        Self { rules: Vec::new(), secrets: Action::Mask }
    }
}

/// Records that the default drops are counted under this name.
const DEFAULT_NAME: &str = "secrets";

/// What is done, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) action: Action,
    pub(crate) rule: Arc<str>,
}

/// The rules for the records of one service of one tenant.
#[derive(Debug)]
pub(crate) struct Plan {
    by_kind: Vec<Option<Decision>>,
    fields: Vec<(FieldPattern, Decision)>,
    pub(crate) wanted: KindSet,
}

impl Rules {
    /// All that any record might be searched for.
    pub(crate) fn wanted(&self) -> KindSet {
        let by_rules = self.rules.iter().filter(|rule| rule.action != Action::Keep);
        let by_rules =
            by_rules.flat_map(|rule| if let Find::Kinds(kinds) = &rule.find { kinds.as_slice() } else { &[] });
        let by_default = Kind::ALL.iter().filter(|kind| kind.is_secret() && self.secrets != Action::Keep);
        by_rules.chain(by_default).copied().collect()
    }

    pub(crate) fn plan(&self, tenant: &TenantId, service: &str) -> Plan {
        let mut by_kind: Vec<Option<Decision>> = vec![None; Kind::COUNT];
        let mut fields = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.is_for(tenant, service)) {
            let decision = Decision { action: rule.action, rule: rule.name.as_str().into() };
            match &rule.find {
                Find::Kinds(kinds) => {
                    for kind in kinds {
                        by_kind[*kind as usize].get_or_insert_with(|| decision.clone());
                    }
                }
                Find::Fields(patterns) => {
                    fields.extend(patterns.iter().map(|pattern| (pattern.clone(), decision.clone())));
                }
            }
        }
        for kind in Kind::ALL.iter().filter(|kind| kind.is_secret()) {
            let default = || Decision { action: self.secrets, rule: DEFAULT_NAME.into() };
            by_kind[*kind as usize].get_or_insert_with(default);
        }
        let acts = |kind: &Kind| by_kind[*kind as usize].as_ref().is_some_and(|found| found.action != Action::Keep);
        let wanted = Kind::ALL.iter().copied().filter(acts).collect();
        Plan { by_kind, fields, wanted }
    }
}

impl Plan {
    /// For a kind that is wanted.
    pub(crate) fn of_kind(&self, kind: Kind) -> Option<&Decision> {
        self.by_kind[kind as usize].as_ref()
    }

    /// For everything in the field `name`.
    pub(crate) fn of_field(&self, name: &str) -> Option<&Decision> {
        self.fields.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, decision)| decision)
    }

    pub(crate) fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Whether it does nothing at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted.is_empty() && self.fields.is_empty()
    }
}
