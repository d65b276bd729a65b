//! Functions of time. None tells what time it is: a program gives the same whenever it runs.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use vrl::prelude::{Value, VrlValueConvert, kind};

use super::types::moment;
use super::{Arguments, Fails, Failure, Plain, bounded, needs, takes};

pub(super) const FUNCTIONS: &[Plain] = &[
    Plain {
        name: "parse_timestamp",
        parameters: &[needs("value", kind::BYTES), needs("format", kind::BYTES)],
        returns: kind::TIMESTAMP,
        fails: Fails::Always,
        run: parse_timestamp,
    },
    Plain {
        name: "format_timestamp",
        parameters: &[needs("value", kind::TIMESTAMP), needs("format", kind::BYTES)],
        returns: kind::BYTES,
        fails: Fails::Always,
        run: |a| {
            let time = a.value(0).try_timestamp().map_err(|error| error.to_string())?;
            let mut out = String::new();
            write!(out, "{}", time.format(&a.text(1)?)).map_err(|_| "this is no format of times")?;
            bounded(out)
        },
    },
    Plain {
        name: "from_unix_timestamp",
        parameters: &[needs("value", kind::INTEGER), takes("unit", kind::BYTES)],
        returns: kind::TIMESTAMP,
        fails: Fails::Always,
        run: |a| {
            let value = a.integer(0)?;
            let ns = value.checked_mul(unit_ns(a)?).ok_or("the time is out of range")?;
            Ok(Value::Timestamp(moment(ns)))
        },
    },
    Plain {
        name: "to_unix_timestamp",
        parameters: &[needs("value", kind::TIMESTAMP), takes("unit", kind::BYTES)],
        returns: kind::INTEGER,
        fails: Fails::Always,
        run: |a| {
            let time = a.value(0).try_timestamp().map_err(|error| error.to_string())?;
            let ns = time.timestamp_nanos_opt().ok_or("the time is out of range")?;
            Ok(ns.div_euclid(unit_ns(a)?).into())
        },
    },
];

fn unit_ns(a: &mut Arguments) -> Result<i64, Failure> {
    match a.text_or(1, "seconds")?.as_str() {
        "seconds" => Ok(1_000_000_000),
        "milliseconds" => Ok(1_000_000),
        "microseconds" => Ok(1_000),
        "nanoseconds" => Ok(1),
        _ => Err("a unit is seconds, milliseconds, microseconds or nanoseconds".into()),
    }
}

/// With a zone where the format has one, otherwise in UTC.
fn parse_timestamp(a: &mut Arguments) -> Result<Value, Failure> {
    let (text, format) = (a.text(0)?, a.text(1)?);
    let zoned = DateTime::parse_from_str(&text, &format).map(|time| time.with_timezone(&Utc));
    let time = zoned.or_else(|_| NaiveDateTime::parse_from_str(&text, &format).map(|time| time.and_utc()));
    time.map(Value::Timestamp).map_err(|error| error.to_string().into())
}
