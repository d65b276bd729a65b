//! What a value is, and values of one type from another.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use vrl::prelude::{Parameter, Value, VrlValueConvert, kind};

use super::{Arguments, Fails, Failure, Plain, bounded, needs, number, takes};

const ANY: &[Parameter] = &[needs("value", kind::ANY)];
const NUMBER: u16 = kind::INTEGER | kind::FLOAT;
const OF_NUMBER: &[Parameter] = &[needs("value", NUMBER)];
const SIMPLE: u16 = NUMBER | kind::BYTES | kind::BOOLEAN | kind::NULL | kind::TIMESTAMP;

type Run = fn(&mut Arguments) -> Result<Value, Failure>;

/// Says whether a value is of a type.
const fn is(name: &'static str, run: Run) -> Plain {
    Plain { name, parameters: ANY, returns: kind::BOOLEAN, fails: Fails::Never, run }
}

/// Gives the value if it is of a type, and fails otherwise.
const fn assures(name: &'static str, returns: u16, run: Run) -> Plain {
    Plain { name, parameters: ANY, returns, fails: Fails::Unless(returns), run }
}

/// Gives what a value stands for in another type.
const fn makes(name: &'static str, returns: u16, surely_from: u16, run: Run) -> Plain {
    Plain { name, parameters: ANY, returns, fails: Fails::Unless(surely_from), run }
}

const fn of_number(name: &'static str, returns: u16, run: Run) -> Plain {
    Plain { name, parameters: OF_NUMBER, returns, fails: Fails::Never, run }
}

pub(super) const FUNCTIONS: &[Plain] = &[
    is("is_string", |a| Ok(matches!(a.value(0), Value::Bytes(_) | Value::String(_)).into())),
    is("is_integer", |a| Ok(matches!(a.value(0), Value::Integer(_)).into())),
    is("is_float", |a| Ok(matches!(a.value(0), Value::Float(_)).into())),
    is("is_boolean", |a| Ok(matches!(a.value(0), Value::Boolean(_)).into())),
    is("is_null", |a| Ok(matches!(a.value(0), Value::Null).into())),
    is("is_array", |a| Ok(matches!(a.value(0), Value::Array(_)).into())),
    is("is_object", |a| Ok(matches!(a.value(0), Value::Object(_)).into())),
    is("is_timestamp", |a| Ok(matches!(a.value(0), Value::Timestamp(_)).into())),
    is("is_empty", |a| Ok(is_empty(&a.value(0)).into())),
    is("is_nullish", |a| Ok(is_nullish(&a.value(0)).into())),
    assures("string", kind::BYTES, |a| {
        of_type(a, "a string", |value| matches!(value, Value::Bytes(_) | Value::String(_)))
    }),
    assures("int", kind::INTEGER, |a| of_type(a, "an integer", |value| matches!(value, Value::Integer(_)))),
    assures("float", kind::FLOAT, |a| of_type(a, "a float", |value| matches!(value, Value::Float(_)))),
    assures("bool", kind::BOOLEAN, |a| of_type(a, "a boolean", |value| matches!(value, Value::Boolean(_)))),
    assures("array", kind::ARRAY, |a| of_type(a, "an array", |value| matches!(value, Value::Array(_)))),
    assures("object", kind::OBJECT, |a| of_type(a, "an object", |value| matches!(value, Value::Object(_)))),
    assures("timestamp", kind::TIMESTAMP, |a| of_type(a, "a timestamp", |value| matches!(value, Value::Timestamp(_)))),
    makes("to_string", kind::BYTES, SIMPLE, to_string),
    makes("to_int", kind::INTEGER, NUMBER | kind::BOOLEAN | kind::NULL | kind::TIMESTAMP, to_int),
    makes("to_float", kind::FLOAT, NUMBER | kind::BOOLEAN | kind::NULL, to_float),
    makes("to_bool", kind::BOOLEAN, NUMBER | kind::BOOLEAN | kind::NULL, to_bool),
    Plain {
        name: "parse_int",
        parameters: &[needs("value", kind::BYTES), takes("base", kind::INTEGER)],
        returns: kind::INTEGER,
        fails: Fails::Always,
        run: parse_int,
    },
    Plain {
        name: "parse_float",
        parameters: &[needs("value", kind::BYTES)],
        returns: kind::FLOAT,
        fails: Fails::Always,
        run: |a| number(read(&a.text(0)?)?),
    },
    of_number("abs", NUMBER, |a| match a.value(0) {
        Value::Integer(value) => Ok(value.saturating_abs().into()),
        other => number(other.try_into_f64().map_err(|error| error.to_string())?.abs()),
    }),
    of_number("ceil", NUMBER, |a| whole(a, f64::ceil)),
    of_number("floor", NUMBER, |a| whole(a, f64::floor)),
    of_number("round", NUMBER, |a| whole(a, f64::round)),
    Plain {
        name: "mod",
        parameters: &[needs("value", kind::INTEGER), needs("modulus", kind::INTEGER)],
        returns: kind::INTEGER,
        fails: Fails::Always,
        run: |a| {
            let (value, modulus) = (a.integer(0)?, a.integer(1)?);
            Ok(value.checked_rem(modulus).ok_or("the modulus is 0")?.into())
        },
    },
];

fn of_type(a: &mut Arguments, name: &str, is: fn(&Value) -> bool) -> Result<Value, Failure> {
    let value = a.value(0);
    if is(&value) { Ok(value) } else { Err(format!("{} is not {name}", value.kind_str()).into()) }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(pairs) => pairs.is_empty(),
        Value::Null => true,
        other => other.try_bytes_utf8_lossy().is_ok_and(|text| text.is_empty()),
    }
}

fn is_nullish(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bytes(_) | Value::String(_) => {
            value.try_bytes_utf8_lossy().is_ok_and(|text| text.trim().is_empty() || text == "-")
        }
        _ => false,
    }
}

fn to_string(a: &mut Arguments) -> Result<Value, Failure> {
    match a.value(0) {
        text @ (Value::Bytes(_) | Value::String(_)) => Ok(text),
        Value::Integer(value) => bounded(value.to_string()),
        Value::Float(value) => bounded(value.to_string()),
        Value::Boolean(value) => bounded(value.to_string()),
        Value::Null => bounded(String::new()),
        Value::Timestamp(time) => bounded(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        other => Err(format!("{} is no single value", other.kind_str()).into()),
    }
}

fn read<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.trim().parse().map_err(|_| format!("`{}` is no number", text.chars().take(40).collect::<String>()).into())
}

fn to_int(a: &mut Arguments) -> Result<Value, Failure> {
    match a.value(0) {
        value @ Value::Integer(_) => Ok(value),
        Value::Float(value) => Ok((value.into_inner() as i64).into()),
        Value::Boolean(value) => Ok(i64::from(value).into()),
        Value::Null => Ok(0.into()),
        Value::Timestamp(time) => Ok(time.timestamp().into()),
        other => Ok(read::<i64>(&other.try_bytes_utf8_lossy().map_err(|error| error.to_string())?)?.into()),
    }
}

fn to_float(a: &mut Arguments) -> Result<Value, Failure> {
    match a.value(0) {
        value @ Value::Float(_) => Ok(value),
        Value::Integer(value) => number(value as f64),
        Value::Boolean(value) => number(f64::from(u8::from(value))),
        Value::Null => number(0.0),
        other => number(read(&other.try_bytes_utf8_lossy().map_err(|error| error.to_string())?)?),
    }
}

fn to_bool(a: &mut Arguments) -> Result<Value, Failure> {
    match a.value(0) {
        value @ Value::Boolean(_) => Ok(value),
        Value::Integer(value) => Ok((value != 0).into()),
        Value::Float(value) => Ok((value.into_inner() != 0.0).into()),
        Value::Null => Ok(false.into()),
        other => {
            let text = other.try_bytes_utf8_lossy().map_err(|error| error.to_string())?;
            match text.to_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "1" => Ok(true.into()),
                "false" | "f" | "no" | "n" | "0" => Ok(false.into()),
                _ => Err("the text is neither true nor false".into()),
            }
        }
    }
}

fn parse_int(a: &mut Arguments) -> Result<Value, Failure> {
    let text = a.text(0)?;
    let prefixes: [(&str, u32); 4] = [("0x", 16), ("0o", 8), ("0b", 2), ("", 10)];
    let (digits, base) = match a.given(1) {
        Some(base) => (text.as_str(), base.try_integer().map_err(|error| error.to_string())?),
        None => {
            let found = prefixes.iter().find_map(|(prefix, base)| Some((text.strip_prefix(prefix)?, i64::from(*base))));
            found.unwrap_or((text.as_str(), 10))
        }
    };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).ok_or("a base is 2 to 36")?;
    let value = i64::from_str_radix(digits, base);
    Ok(value.map_err(|_| format!("`{}` is no integer", text.chars().take(40).collect::<String>()))?.into())
}

fn whole(a: &mut Arguments, round: fn(f64) -> f64) -> Result<Value, Failure> {
    match a.value(0) {
        value @ Value::Integer(_) => Ok(value),
        other => number(round(other.try_into_f64().map_err(|error| error.to_string())?)),
    }
}

/// A moment from nanoseconds, if it can be one.
pub(super) fn moment(ns: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(ns)
}
