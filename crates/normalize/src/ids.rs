//! Trace and span ids in the forms tracers write them.

use logkeep_record::{SpanId, TraceId, Value};

use crate::semconv::{Digits, Rule};
use crate::table;

/// In front of the element's id and the parameter's name, as our decoder of syslog gives them.
const STRUCTURED_DATA: &str = "syslog.structured_data.";

/// What a parameter of structured data (RFC 5424, 6.3) says of the trace, if it does: `traceId` in `mdc@18060`, `id` in `trace`, `trace_id` in
/// `dd@1`, which Datadog writes in decimal, or `dd.trace_id` in any.
pub(crate) fn in_structured_data(key: &str) -> Option<Rule> {
    let parameter = key.strip_prefix(STRUCTURED_DATA)?;
    let rule = |name: &str| table::lookup(name)?.general.filter(|rule| rule.is_trace());
    // Without the number of the enterprise, which says whose element it is.
    let whole = match parameter.split_once('@') {
        Some((element, rest)) => rest.split_once('.').and_then(|(_, name)| rule(&format!("{element}.{name}"))),
        None => rule(parameter),
    };
    // An element's id may have dots, and so may a name.
    whole.or_else(|| parameter.match_indices('.').find_map(|(dot, _)| rule(&parameter[dot + 1..])))
}

/// A trace id, or `None` where the value is none. Fewer than 15 hexadecimal digits are more likely a counter; 15 are
/// a 64-bit id that lost its leading zero.
pub(crate) fn trace_id(value: &Value<'_>, digits: Digits) -> Option<TraceId> {
    match (value, digits) {
        (Value::Str(text), Digits::Decimal) if text.len() <= 20 => trace_from_u64(text.parse().ok()?),
        (Value::Int(number), Digits::Decimal) => trace_from_u64(*number as u64),
        (Value::Str(text), _) if matches!(text.len(), 15 | 16 | 31 | 32) => TraceId::from_hex(text),
        _ => None,
    }
}

fn trace_from_u64(number: u64) -> Option<TraceId> {
    TraceId::new(u128::from(number).to_be_bytes())
}

/// A span id, or `None` where the value is none.
pub(crate) fn span_id(value: &Value<'_>, digits: Digits) -> Option<SpanId> {
    match (value, digits) {
        (Value::Str(text), Digits::Decimal) if text.len() <= 20 => SpanId::new(text.parse::<u64>().ok()?.to_be_bytes()),
        (Value::Int(number), Digits::Decimal) => SpanId::new((*number as u64).to_be_bytes()),
        (Value::Str(text), Digits::Hex) if matches!(text.len(), 15 | 16) => SpanId::from_hex(text),
        _ => None,
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context, "traceparent Header").
pub(crate) fn traceparent(text: &str) -> Option<(TraceId, SpanId, u32)> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !lengths || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    u8::from_str_radix(version, 16).ok()?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((TraceId::from_hex(trace)?, SpanId::from_hex(span)?, flags.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids() {
        let check = |value: Value<'_>, digits, expected: Option<&str>| {
            assert_eq!(trace_id(&value, digits).map(|id| id.to_string()).as_deref(), expected, "{value:?}");
        };
        let full = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(full.into(), Digits::Hex, Some(full));
        check("a3ce929d0e0e4736".into(), Digits::Hex, Some("0000000000000000a3ce929d0e0e4736"));
        check("255".into(), Digits::Decimal, Some("000000000000000000000000000000ff"));
        check(full.into(), Digits::Decimal, Some(full));
        check(Value::Int(255), Digits::Decimal, Some("000000000000000000000000000000ff"));
        for wrong in ["", "255", "0000000000000000", "zbf92f3577b34da6a3ce929d0e0e4736", "4bf92f35-77b3-4da6"] {
            check(wrong.into(), Digits::Hex, None);
        }
        check("0".into(), Digits::Decimal, None);
    }

    #[test]
    fn parameters_of_structured_data() {
        for (parameter, expected) in [
            ("mdc@18060.traceId", Some(Rule::TraceId(Digits::Hex))),
            ("mdc@18060.spanId", Some(Rule::SpanId(Digits::Hex))),
            ("trace.id", Some(Rule::TraceId(Digits::Hex))),
            ("span@1.id", Some(Rule::SpanId(Digits::Hex))),
            ("dd@53595.trace_id", Some(Rule::TraceId(Digits::Decimal))),
            ("any@1.dd.span_id", Some(Rule::SpanId(Digits::Decimal))),
            ("my.own@1.2.trace_id", Some(Rule::TraceId(Digits::Hex))),
            ("x.traceparent", Some(Rule::Traceparent)),
            // Words that mean something else in an element.
            ("mdc@18060.level", None),
            ("origin.ip", None),
            ("meta@1", None),
            ("", None),
        ] {
            assert_eq!(in_structured_data(&format!("{STRUCTURED_DATA}{parameter}")), expected, "{parameter}");
        }
        assert_eq!(in_structured_data("mdc@18060.traceId"), None, "of no syslog message");
    }

    #[test]
    fn traceparents() {
        let (trace, span, flags) = traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((span.to_string().as_str(), flags), ("00f067aa0ba902b7", 1));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(traceparent(wrong), None, "{wrong}");
        }
    }
}
