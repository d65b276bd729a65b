//! Fields that a reader may not see.
//!
//! A record is changed before anything is asked of it, so that no filter, order, count, histogram, error or export can tell
//! what a masked field holds: every way to read it sees [`MARKER`]. The value is looked for in the rest of its record as
//! well, because senders repeat themselves: a text that has it becomes the marker, and the source form does wherever there is
//! anything to hide.

mod secret;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Scope, Value};

use crate::kql::fields::{Builtin, Target, resolve};
use secret::Secrets;

/// What stands where a value may not be seen.
pub const MARKER: &str = "[masked]";

/// Names after which everything below a name is meant.
const BELOW: &str = ".*";

/// Which fields are masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    names: Vec<String>,
    /// Prefixes, with the dot.
    below: Vec<String>,
    body: bool,
    original: bool,
}

impl Mask {
    /// A mask over the fields of these names, as filters call them, with their parts; `user.*` are the parts alone.
    ///
    /// # Errors
    /// A name of something that every reader must see, such as the time.
    pub fn new<'n>(fields: impl IntoIterator<Item = &'n str>) -> Result<Self, String> {
        let mut mask = Self::default();
        for field in fields {
            match field.strip_suffix(BELOW) {
                Some("") => return Err(format!("`{field}` is no field")),
                Some(prefix) => mask.below.push(format!("{prefix}.")),
                None => mask.add(field)?,
            }
        }
        Ok(mask)
    }

    fn add(&mut self, field: &str) -> Result<(), String> {
        match resolve(field) {
            Target::Attribute(sources) => self.names.extend(sources.into_iter().map(|source| source.name)),
            Target::Builtin(Builtin::Body) => (self.body, self.original) = (true, true),
            Target::Builtin(Builtin::Original) => self.original = true,
            Target::Builtin(_) => return Err(format!("`{field}` is a part of every record, which cannot be masked")),
        }
        Ok(())
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the body of every record is masked, or its source form.
    pub(crate) fn is_of_every_record(&self) -> bool {
        self.body || self.original
    }

    /// Whether the field of this name is masked: itself, or a field that it is a part of.
    pub(crate) fn covers(&self, name: &str) -> bool {
        let is_part = |rest: &str| rest.is_empty() || rest.starts_with('.');
        self.names.iter().any(|masked| name.strip_prefix(masked.as_str()).is_some_and(is_part))
            || self.below.iter().any(|prefix| name.starts_with(prefix))
    }

    /// For many records, which share resources.
    pub fn masker(&self) -> Masker<'_> {
        Masker { mask: self, resources: HashMap::new() }
    }
}

/// Masks records.
pub struct Masker<'m> {
    mask: &'m Mask,
    /// Resources that were met, so that their addresses stay theirs, and what became of them.
    resources: HashMap<*const Resource, Known>,
}

#[derive(Clone)]
struct Known {
    _met: Arc<Resource>,
    masked: Arc<Resource>,
    secrets: Arc<Secrets>,
}

impl Masker<'_> {
    /// Masks a record.
    pub fn apply(&mut self, record: &mut Record<'_>) {
        let known = self.resource(&record.resource);
        let mut own = Secrets::default();
        self.mask.attributes(&mut record.attributes, &mut own);
        self.mask.nested(&mut record.body, &Path::root(), &mut own);
        if self.mask.original || !own.is_empty() || !known.secrets.is_empty() {
            record.original = record.original.take().map(|_| Cow::Borrowed(MARKER));
        }
        if self.mask.body && !record.body.is_null() {
            record.body = Value::str(MARKER);
        }
        record.resource = known.masked.clone();
        let mut hide = |secrets: &Secrets| {
            secrets.hide_in_text(&mut record.severity_text);
            secrets.hide_in_text(&mut record.event_name);
            secrets.hide_in(&mut record.body);
            record.attributes.iter_mut().for_each(|(_, value)| secrets.hide_in(value));
        };
        if !known.secrets.is_empty() {
            hide(&known.secrets);
        }
        if !own.is_empty() {
            hide(&own);
            if let Some(resource) = hidden_in(&own, &record.resource) {
                record.resource = resource;
            }
        }
    }

    fn resource(&mut self, resource: &Arc<Resource>) -> Known {
        let make = || {
            let (mut attributes, mut scope) = (resource.attributes().clone(), resource.scope().clone());
            let mut secrets = Secrets::default();
            self.mask.attributes(&mut attributes, &mut secrets);
            self.mask.attributes(&mut scope.attributes, &mut secrets);
            let masked = if secrets.is_empty() { resource.clone() } else { rebuilt(resource, attributes, scope) };
            let masked = hidden_in(&secrets, &masked).unwrap_or(masked);
            Known { _met: resource.clone(), masked, secrets: Arc::new(secrets) }
        };
        self.resources.entry(Arc::as_ptr(resource)).or_insert_with(make).clone()
    }
}

fn rebuilt(old: &Resource, attributes: Attributes<'static>, scope: Scope) -> Arc<Resource> {
    Resource::new(attributes, old.dropped_attributes(), old.schema_url().to_owned(), scope)
}

/// The resource without these secrets; `None` if it has none of them.
fn hidden_in(secrets: &Secrets, resource: &Resource) -> Option<Arc<Resource>> {
    let (mut attributes, mut scope) = (resource.attributes().clone(), resource.scope().clone());
    attributes.iter_mut().chain(&mut scope.attributes).for_each(|(_, value)| secrets.hide_in(value));
    let is_same = attributes == *resource.attributes() && scope == *resource.scope();
    (!is_same).then(|| rebuilt(resource, attributes, scope))
}

/// Where in nested values something stands: under each of these names, one for each map around it.
struct Path(Vec<String>);

impl Path {
    fn root() -> Self {
        Self(Vec::new())
    }

    fn names<'p>(&'p self, key: &'p str) -> impl Iterator<Item = Cow<'p, str>> {
        self.0.iter().map(move |outer| Cow::Owned(format!("{outer}.{key}"))).chain([Cow::Borrowed(key)])
    }

    fn under(&self, key: &str) -> Self {
        Self(self.names(key).map(Cow::into_owned).collect())
    }
}

impl Mask {
    /// Masks what is covered, and takes its values down.
    fn attributes(&self, attributes: &mut Attributes<'_>, secrets: &mut Secrets) {
        for (key, value) in attributes {
            match self.covers(key) {
                true => secrets.take(value),
                false if matches!(value, Value::Map(_) | Value::Array(_)) => {
                    self.nested(value, &Path(vec![key.clone().into_owned()]), secrets);
                }
                false => {}
            }
        }
    }

    fn nested(&self, value: &mut Value<'_>, path: &Path, secrets: &mut Secrets) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.nested(value, path, secrets)),
            Value::Map(pairs) => {
                for (key, value) in pairs {
                    let is_covered = path.names(key).any(|name| self.covers(&name));
                    match is_covered {
                        true => secrets.take(value),
                        false => self.nested(value, &path.under(key), secrets),
                    }
                }
            }
            _ => {}
        }
    }
}
