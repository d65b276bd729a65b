//! Values of records to VRL's and back.
//!
//! VRL has no order of fields, no second field of the same name and no NaN, and a record has all of them. So what a
//! program leaves is laid over the record: whatever it did not change stays exactly as it was.

use std::borrow::Cow;
use std::collections::HashMap;

use logkeep_record::{Attributes, Value, limits};
use vrl::prelude::{Bytes, KeyString, NotNan, ObjectMap};
use vrl::value::Value as Vrl;

/// As a program sees it.
pub(crate) fn to_vrl(value: &Value<'_>) -> Vrl {
    match value {
        Value::Null => Vrl::Null,
        Value::Bool(value) => Vrl::Boolean(*value),
        Value::Int(value) => Vrl::Integer(*value),
        Value::Double(value) => NotNan::new(*value).map_or(Vrl::Null, Vrl::Float),
        Value::Str(text) => Vrl::from(text.as_ref()),
        Value::Bytes(bytes) => Vrl::Bytes(Bytes::copy_from_slice(bytes)),
        Value::Array(values) => Vrl::Array(values.iter().map(to_vrl).collect()),
        Value::Map(pairs) => Vrl::Object(object(pairs)),
    }
}

/// Attributes as a program sees them: of several with one name the first.
pub(crate) fn object(pairs: &Attributes<'_>) -> ObjectMap {
    let mut object = ObjectMap::new();
    for (name, value) in pairs {
        object.entry(KeyString::from(name.as_ref())).or_insert_with(|| to_vrl(value));
    }
    object
}

/// Whether a program left a value as it was.
fn is_same(before: &Value<'_>, after: &Vrl) -> bool {
    match (before, after) {
        (Value::Null, Vrl::Null) => true,
        (Value::Bool(before), Vrl::Boolean(after)) => before == after,
        (Value::Int(before), Vrl::Integer(after)) => before == after,
        (Value::Double(before), Vrl::Float(after)) => before.to_bits() == after.into_inner().to_bits(),
        (Value::Double(before), Vrl::Null) => before.is_nan(),
        (Value::Str(before), after) => text(after).is_some_and(|after| before.as_bytes() == after),
        (Value::Bytes(before), after) => text(after).is_some_and(|after| before.as_ref() == after),
        (Value::Array(before), Vrl::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| is_same(before, after))
        }
        (Value::Map(before), Vrl::Object(after)) => is_same_object(before, after),
        _ => false,
    }
}

fn is_same_object(before: &Attributes<'_>, after: &ObjectMap) -> bool {
    let firsts = firsts(before);
    firsts.len() == after.len()
        && firsts.iter().all(|(name, value)| after.get(*name).is_some_and(|after| is_same(value, after)))
}

fn firsts<'b, 'a>(pairs: &'b Attributes<'a>) -> HashMap<&'b str, &'b Value<'a>> {
    let mut firsts = HashMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        firsts.entry(name.as_ref()).or_insert(value);
    }
    firsts
}

fn text(value: &Vrl) -> Option<&[u8]> {
    match value {
        Vrl::Bytes(bytes) => Some(bytes),
        Vrl::String(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// What is left of the bounds on what one program may leave.
pub(crate) struct Room {
    bytes: usize,
}

/// Why what a program left cannot be stored.
pub(crate) type Refused = String;

impl Room {
    /// For a record: two forms of the longest line, as a body and as attributes.
    pub(crate) fn of_record() -> Self {
        Self { bytes: 2 * limits::record_bytes() + 4_096 }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or("what it leaves is more than twice `limits.record_bytes`")?;
        Ok(())
    }

    /// A value after a program, which had been `before`.
    pub(crate) fn value<'a>(&mut self, before: Value<'a>, after: Vrl, depth: usize) -> Result<Value<'a>, Refused> {
        if is_same(&before, &after) {
            return Ok(before);
        }
        match (before, after) {
            (Value::Map(before), Vrl::Object(after)) => Ok(Value::Map(self.attributes(before, after, depth + 1)?)),
            (_, after) => self.new_value(after, depth),
        }
    }

    /// Attributes after a program: those that stay in their order, then the new ones by name.
    pub(crate) fn attributes<'a>(
        &mut self,
        before: Attributes<'a>,
        mut after: ObjectMap,
        depth: usize,
    ) -> Result<Attributes<'a>, Refused> {
        let mut left: Attributes<'a> = Vec::with_capacity(after.len());
        // Whether the first of a name was changed; only for what comes with a name that is taken, or went.
        let mut firsts: Option<HashMap<String, bool>> = None;
        let mut unchanged = Vec::new();
        for (name, value) in before {
            match after.remove(name.as_ref()) {
                Some(new) => {
                    unchanged.push(is_same(&value, &new));
                    let value = self.value(value, new, depth)?;
                    if let Some(firsts) = &mut firsts {
                        firsts.insert(name.to_string(), unchanged.last() == Some(&true));
                    }
                    left.push((name, value));
                }
                None => {
                    let names = || left.iter().zip(&unchanged).map(|((name, _), same)| (name.to_string(), *same));
                    let firsts = firsts.get_or_insert_with(|| names().collect());
                    if firsts.get(name.as_ref()) == Some(&true) {
                        unchanged.push(true);
                        left.push((name, value));
                    }
                }
            }
        }
        for (name, value) in after {
            self.name(&name)?;
            let value = self.new_value(value, depth)?;
            left.push((Cow::Owned(name.to_string()), value));
        }
        if left.len() > limits::ATTRIBUTES_PER_RECORD {
            return Err(format!("it leaves more than {} fields", limits::ATTRIBUTES_PER_RECORD));
        }
        Ok(left)
    }

    fn name(&mut self, name: &str) -> Result<(), Refused> {
        if name.is_empty() || name.len() > limits::KEY_BYTES {
            return Err(format!("a name of a field has 1 to {} bytes", limits::KEY_BYTES));
        }
        self.take(name.len())
    }

    fn new_value(&mut self, value: Vrl, depth: usize) -> Result<Value<'static>, Refused> {
        if depth > limits::VALUE_DEPTH {
            return Err(format!("what it leaves is nested more than {} deep", limits::VALUE_DEPTH));
        }
        self.take(8)?;
        Ok(match value {
            Vrl::Null => Value::Null,
            Vrl::Boolean(value) => Value::Bool(value),
            Vrl::Integer(value) => Value::Int(value),
            Vrl::Float(value) => Value::Double(value.into_inner()),
            Vrl::Bytes(bytes) => {
                self.take(bytes.len())?;
                String::from_utf8(bytes.into())
                    .map_or_else(|error| Value::Bytes(error.into_bytes().into()), |text| Value::Str(text.into()))
            }
            Vrl::String(text) => {
                self.take(text.len())?;
                Value::Str(text.to_string().into())
            }
            Vrl::Regex(regex) => Value::Str(regex.to_string().into()),
            Vrl::Timestamp(time) => Value::Str(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()),
            Vrl::Array(values) => Value::Array(
                values.into_iter().map(|value| self.new_value(value, depth + 1)).collect::<Result<_, _>>()?,
            ),
            Vrl::Object(object) => {
                let mut pairs = Vec::with_capacity(object.len());
                for (name, value) in object {
                    self.name(&name)?;
                    pairs.push((Cow::Owned(name.to_string()), self.new_value(value, depth + 1)?));
                }
                Value::Map(pairs)
            }
        })
    }
}
