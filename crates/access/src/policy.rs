//! Who may do what: Cedar policies, one decision for one action, denied unless permitted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    Request, RestrictedExpression, Schema, ValidationMode, Validator,
};

use logkeep_cipher::sha256;
use parking_lot::Mutex;

use crate::action::Action;
use crate::identity::{Identity, Known};

/// What each role may do.
const ROLES: &str = include_str!("policies/roles.cedar");
/// What policies can be about.
const SCHEMA: &str = include_str!("policies/logkeep.cedarschema");
/// The role of whoever is on the machine, where the operator has left the door open. Nobody else can have it.
const LOCAL: &str = "local";
/// What the policies that we ship are called in answers.
const OWN: &str = "logkeep";
/// Bytes of a file of policies at most, and files.
const MOST_BYTES: u64 = 1 << 20;
const MOST_FILES: usize = 100;
/// Decisions that are remembered at most.
const MOST_DECIDED: usize = 4_096;

static SCHEMA_READ: LazyLock<Schema> =
    LazyLock::new(|| Schema::from_str(SCHEMA).expect("the schema that we ship is well-formed, which a test shows"));

/// Policies that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policies in `{file}`: {fault}")]
pub struct PolicyError {
    /// Which file, or folder.
    pub file: String,
    /// What is wrong, and where.
    pub fault: String,
}

/// What is decided by.
#[derive(Clone, Debug)]
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
    /// SHA-256 over the texts that were read, each with its name, one after the other.
    digest: [u8; 32],
    /// What this set has decided: to evaluate it takes longer than to plan a small query.
    decided: Arc<Mutex<HashMap<Asked, bool>>>,
}

/// All that a decision can depend on: what is evaluated is made of nothing else, so that it can be remembered by this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    kind: &'static str,
    name: String,
    roles: BTreeSet<String>,
    is_scoped: bool,
    tenant: String,
    action: Action,
    field: Option<String>,
}

/// A decision, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that decided, by name, each with its text; none where no policy permits it.
    pub policies: BTreeMap<String, String>,
    /// Policies that could not be evaluated; with one of those everything is denied.
    pub errors: Vec<String>,
}

static SHIPPED: LazyLock<Policies> = LazyLock::new(|| {
    let mut policies =
        Policies { set: PolicySet::new(), authorizer: Authorizer::new(), digest: [0; 32], decided: Arc::default() };
    policies.add(OWN, ROLES).expect("the policies that we ship are well-formed, which a test shows");
    policies
});

impl Default for Policies {
    /// Those that we ship.
    fn default() -> Self {
        SHIPPED.clone()
    }
}

impl Policies {
    /// Those that we ship and those in the files `*.cedar` of a folder.
    ///
    /// # Errors
    /// [`PolicyError`] says which file, and what is wrong with it. No policy of any is used then.
    pub fn with_folder(folder: &Path) -> Result<Self, PolicyError> {
        let error = |path: &Path, fault: String| PolicyError { file: path.display().to_string(), fault };
        let entries = std::fs::read_dir(folder).map_err(|cause| error(folder, cause.to_string()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|cause| error(folder, cause.to_string()))?.path();
            if path.extension().is_some_and(|extension| extension == "cedar") {
                files.push(path);
            }
        }
        if files.len() > MOST_FILES {
            return Err(error(folder, format!("there are more than {MOST_FILES} files")));
        }
        files.sort();
        let mut policies = Self::default();
        for path in files {
            let size = path.metadata().map_err(|cause| error(&path, cause.to_string()))?.len();
            if size > MOST_BYTES {
                return Err(error(&path, format!("it is larger than {MOST_BYTES} bytes")));
            }
            let text = std::fs::read_to_string(&path).map_err(|cause| error(&path, cause.to_string()))?;
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            policies.add(&name, &text).map_err(|fault| error(&path, fault))?;
        }
        Ok(policies)
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), String> {
        let read = PolicySet::from_str(text).map_err(|error| flat(&error))?;
        if read.templates().next().is_some() {
            return Err("templates (`?principal`, `?resource`) cannot be used".to_owned());
        }
        for (place, policy) in read.policies().enumerate() {
            let name = policy.annotation("id").map_or_else(|| (place + 1).to_string(), str::to_owned);
            let policy = policy.new_id(PolicyId::new(format!("{file}/{name}")));
            self.set.add(policy).map_err(|error| flat(&error))?;
        }
        let checked = Validator::new(SCHEMA_READ.clone()).validate(&self.set, ValidationMode::Strict);
        let faults: Vec<String> = checked.validation_errors().map(ToString::to_string).collect();
        if !faults.is_empty() {
            return Err(faults.join("; "));
        }
        self.digest = sha256(&[&self.digest, file.as_bytes(), &[0], text.as_bytes()].concat());
        // Other than that of the set that this one was copied from.
        self.decided = Arc::default();
        Ok(())
    }

    /// What they are as a whole, in base 16: another where any text of them is another.
    pub fn digest(&self) -> String {
        hex::encode(self.digest)
    }

    /// Whether somebody may do this with the data, or within the settings, of their tenant.
    pub fn allow(&self, who: &Identity, action: Action) -> bool {
        self.decide(who, action, None)
    }

    /// Whether somebody may see a field that is masked.
    pub fn unmask(&self, who: &Identity, field: &str) -> bool {
        self.decide(who, Action::Unmask, Some(field))
    }

    fn decide(&self, who: &Identity, action: Action, field: Option<&str>) -> bool {
        let Some(asked) = Asked::new(who, action, field) else { return false };
        if let Some(allowed) = self.decided.lock().get(&asked) {
            return *allowed;
        }
        let allowed = self.evaluate(&asked).allowed;
        let mut decided = self.decided.lock();
        if decided.len() >= MOST_DECIDED {
            decided.clear();
        }
        decided.insert(asked, allowed);
        allowed
    }

    /// The decision about an action, on a field of the tenant where one is named, and why.
    pub fn explain(&self, who: &Identity, action: Action, field: Option<&str>) -> Explanation {
        Asked::new(who, action, field).map_or_else(Explanation::default, |asked| self.evaluate(&asked))
    }

    fn evaluate(&self, asked: &Asked) -> Explanation {
        let Some((request, entities)) = asked.request() else { return Explanation::default() };
        let answer = self.authorizer.is_authorized(&request, &self.set, &entities);
        let errors: Vec<String> = answer.diagnostics().errors().map(ToString::to_string).collect();
        let named = |id: &PolicyId| {
            let text = self.set.policy(id).map(Policy::to_string).unwrap_or_default();
            (id.to_string(), text)
        };
        // A policy that cannot be evaluated is skipped, which for a `forbid` would be an allow.
        let allowed = answer.decision() == Decision::Allow && errors.is_empty();
        Explanation { allowed, policies: answer.diagnostics().reason().map(named).collect(), errors }
    }
}

/// An error of Cedar on one line, with what it knows of the place.
fn flat(error: &dyn std::error::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn uid(kind: &str, name: &str) -> EntityUid {
    let kind = EntityTypeName::from_str(kind).expect("the names of our types are names in Cedar");
    EntityUid::from_type_name_and_id(kind, EntityId::new(name))
}

impl Asked {
    /// Nobody by a name has no principal, and is permitted nothing.
    fn new(who: &Identity, action: Action, field: Option<&str>) -> Option<Self> {
        let (kind, name) = principal(who)?;
        let local = (*who.known() == Known::Local).then_some(LOCAL);
        let roles = who.roles().iter().map(|role| role.name()).chain(local).map(str::to_owned).collect();
        Some(Self {
            kind,
            name: name.to_owned(),
            roles,
            is_scoped: !who.scopes().is_empty(),
            tenant: who.tenant().as_str().to_owned(),
            action,
            field: field.map(str::to_owned),
        })
    }

    fn request(&self) -> Option<(Request, Entities)> {
        let principal = uid(self.kind, &self.name);
        let roles: HashSet<EntityUid> = self.roles.iter().map(|role| uid("Role", role)).collect();
        let scoped = RestrictedExpression::new_bool(self.is_scoped);
        let asker = Entity::new(principal.clone(), HashMap::from([("scoped".to_owned(), scoped)]), roles).ok()?;
        let tenant = uid("Tenant", &self.tenant);
        let mut entities = vec![asker];
        let resource = match &self.field {
            None => tenant,
            Some(field) => {
                let field = uid("Field", field);
                entities.push(Entity::new(field.clone(), HashMap::new(), HashSet::from([tenant])).ok()?);
                field
            }
        };
        let entities = Entities::from_entities(entities, None).ok()?;
        let action = uid("Action", self.action.as_str());
        let request = Request::new(principal, action, resource, Context::empty(), None).ok()?;
        Some((request, entities))
    }
}

fn principal(who: &Identity) -> Option<(&'static str, &str)> {
    match who.known() {
        Known::Anonymous => None,
        Known::Local | Known::Certificate => Some(("Machine", who.name())),
        Known::Session { user, .. } => Some(("User", user.as_str())),
        Known::Token { id, .. } => Some(("Token", id)),
    }
}

#[cfg(test)]
mod tests;
