//! Functions of objects and arrays.

use std::collections::BTreeSet;

use vrl::path::{OwnedSegment, OwnedValuePath};
use vrl::prelude::{ObjectMap, Parameter, Value, VrlValueConvert, kind};

use super::{Arguments, Fails, Failure, Plain, TEXT_BYTES, bounded, needs, takes};

const OBJECT: &[Parameter] = &[needs("value", kind::OBJECT)];

pub(super) const FUNCTIONS: &[Plain] = &[
    plain("keys", OBJECT, kind::ARRAY, |a| {
        let object = object(a, 0)?;
        Ok(Value::Array(object.into_keys().map(|key| Value::from(key.to_string())).collect()))
    }),
    plain("values", OBJECT, kind::ARRAY, |a| Ok(Value::Array(object(a, 0)?.into_values().collect()))),
    plain("length", &[needs("value", kind::ARRAY | kind::OBJECT | kind::BYTES)], kind::INTEGER, |a| {
        Ok(match a.value(0) {
            Value::Array(values) => values.len(),
            Value::Object(pairs) => pairs.len(),
            other => other.try_bytes_utf8_lossy().map_err(|error| error.to_string())?.len(),
        }
        .into())
    }),
    plain("includes", &[needs("value", kind::ARRAY), needs("item", kind::ANY)], kind::BOOLEAN, |a| {
        let (values, item) = (array(a, 0)?, a.value(1));
        Ok(values.contains(&item).into())
    }),
    plain("push", &[needs("value", kind::ARRAY), needs("item", kind::ANY)], kind::ARRAY, |a| {
        let (mut values, item) = (array(a, 0)?, a.value(1));
        values.push(item);
        Ok(Value::Array(values))
    }),
    plain("append", &[needs("value", kind::ARRAY), needs("items", kind::ARRAY)], kind::ARRAY, |a| {
        let (mut values, more) = (array(a, 0)?, array(a, 1)?);
        values.extend(more);
        Ok(Value::Array(values))
    }),
    plain("unique", &[needs("value", kind::ARRAY)], kind::ARRAY, |a| {
        let mut seen = BTreeSet::new();
        let values = array(a, 0)?.into_iter().filter(|value| seen.insert(value.to_string()));
        Ok(Value::Array(values.collect()))
    }),
    plain(
        "merge",
        &[needs("to", kind::OBJECT), needs("from", kind::OBJECT), takes("deep", kind::BOOLEAN)],
        kind::OBJECT,
        |a| {
            let (mut to, from) = (object(a, 0)?, object(a, 1)?);
            merge(&mut to, from, a.flag_or(2, false)?);
            Ok(Value::Object(to))
        },
    ),
    plain("flatten", &[needs("value", kind::OBJECT), takes("separator", kind::BYTES)], kind::OBJECT, |a| {
        let (object, separator) = (object(a, 0)?, a.text_or(1, ".")?);
        let mut flat = ObjectMap::new();
        flatten("", object, &separator, &mut flat, &mut TEXT_BYTES.clone())?;
        Ok(Value::Object(flat))
    }),
    Plain {
        name: "join",
        parameters: &[needs("value", kind::ARRAY), takes("separator", kind::BYTES)],
        returns: kind::BYTES,
        fails: Fails::Always,
        run: join,
    },
    Plain {
        name: "get",
        parameters: &[needs("value", kind::OBJECT | kind::ARRAY), needs("path", kind::ARRAY)],
        returns: kind::ANY,
        fails: Fails::Always,
        run: |a| {
            let (value, path) = (a.value(0), array(a, 1)?);
            Ok(value.get(&steps(path)?).cloned().unwrap_or(Value::Null))
        },
    },
];

const fn plain(
    name: &'static str,
    parameters: &'static [Parameter],
    returns: u16,
    run: fn(&mut Arguments) -> Result<Value, Failure>,
) -> Plain {
    Plain { name, parameters, returns, fails: Fails::Never, run }
}

fn object(a: &mut Arguments, at: usize) -> Result<ObjectMap, Failure> {
    Ok(a.value(at).try_object().map_err(|error| error.to_string())?)
}

fn array(a: &mut Arguments, at: usize) -> Result<Vec<Value>, Failure> {
    Ok(a.value(at).try_array().map_err(|error| error.to_string())?)
}

fn merge(to: &mut ObjectMap, from: ObjectMap, deep: bool) {
    for (name, value) in from {
        match (to.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) if deep => merge(inner, value, deep),
            (_, value) => {
                to.insert(name, value);
            }
        }
    }
}

fn flatten(
    above: &str,
    object: ObjectMap,
    separator: &str,
    flat: &mut ObjectMap,
    room: &mut usize,
) -> Result<(), Failure> {
    for (name, value) in object {
        let path = if above.is_empty() { name.to_string() } else { format!("{above}{separator}{name}") };
        *room = room.checked_sub(path.len()).ok_or("the names would have more than 4 MiB")?;
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&path, inner, separator, flat, room)?,
            value => {
                flat.insert(path.into(), value);
            }
        }
    }
    Ok(())
}

fn join(a: &mut Arguments) -> Result<Value, Failure> {
    let (values, separator) = (array(a, 0)?, a.text_or(1, "")?);
    let mut out = String::new();
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push_str(&separator);
        }
        out.push_str(&value.try_bytes_utf8_lossy().map_err(|_| "all items must be texts")?);
        if out.len() > TEXT_BYTES {
            break;
        }
    }
    bounded(out)
}

fn steps(path: Vec<Value>) -> Result<OwnedValuePath, Failure> {
    let steps = path.into_iter().map(|step| match step {
        Value::Integer(at) => Ok(OwnedSegment::Index(isize::try_from(at).unwrap_or(isize::MAX))),
        other => {
            let name = other.try_bytes_utf8_lossy().map_err(|_| "a path has names and numbers")?;
            Ok(OwnedSegment::Field(name.into_owned().into()))
        }
    });
    Ok(OwnedValuePath { segments: steps.collect::<Result<_, Failure>>()? })
}
