//! `filter_path`: which parts of an answer the client wants.
//!
//! Beats and Logstash ask for errors and status only, which makes the answer to a large request small.

use std::borrow::Cow;

use logkeep_record::Value;

/// Patterns such as `errors,items.*.error`: `*` matches any characters of one name, `**` any number of names, and a
/// leading `-` takes away (Elasticsearch, "Common options: response filtering").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterPath {
    include: Vec<Vec<String>>,
    exclude: Vec<Vec<String>>,
}

/// Patterns and names beyond these are ignored; real clients send less than ten.
const MAX_PATTERNS: usize = 32;
const MAX_NAMES: usize = 16;

impl FilterPath {
    /// From the query parameter; empty lets everything through.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for pattern in text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()).take(MAX_PATTERNS) {
            let (list, pattern) = match pattern.strip_prefix('-') {
                Some(rest) => (&mut filter.exclude, rest),
                None => (&mut filter.include, pattern),
            };
            list.push(pattern.split('.').take(MAX_NAMES).map(str::to_owned).collect());
        }
        filter
    }

    /// What remains of `value`, a member named `key` of the answer.
    pub(super) fn apply_under<'a>(&self, key: &str, value: Value<'a>) -> Option<Value<'a>> {
        if self.include.is_empty() && self.exclude.is_empty() {
            return Some(value);
        }
        match self.apply(Value::Map(vec![(Cow::Owned(key.to_owned()), value)])) {
            Some(Value::Map(mut pairs)) => pairs.pop().map(|(_, value)| value),
            _ => None,
        }
    }

    /// What remains of a whole answer.
    pub fn apply<'a>(&self, value: Value<'a>) -> Option<Value<'a>> {
        let value = if self.exclude.is_empty() { Some(value) } else { without(value, &views(&self.exclude)) }?;
        if self.include.is_empty() { Some(value) } else { only(value, &views(&self.include)) }
    }
}

type Pattern<'p> = &'p [String];

fn views(patterns: &[Vec<String>]) -> Vec<Pattern<'_>> {
    patterns.iter().map(Vec::as_slice).collect()
}

/// What is left of the patterns below a member named `key`; `None` if one of them ends here, so that all of it matches.
fn below<'p>(patterns: &[Pattern<'p>], key: &str) -> Option<Vec<Pattern<'p>>> {
    let mut rest = Vec::new();
    for pattern in patterns {
        let mut pattern = *pattern;
        while let Some((name, after)) = pattern.split_first() {
            let any_depth = name == "**";
            if any_depth {
                rest.push(pattern);
            } else if matches(name, key) {
                if after.is_empty() {
                    return None;
                }
                rest.push(after);
            }
            if !any_depth {
                break;
            }
            if after.is_empty() {
                return None;
            }
            pattern = after;
        }
    }
    rest.sort_unstable();
    rest.dedup();
    Some(rest)
}

fn only<'a>(value: Value<'a>, patterns: &[Pattern<'_>]) -> Option<Value<'a>> {
    match value {
        Value::Map(pairs) => {
            let kept: Vec<_> = pairs
                .into_iter()
                .filter_map(|(key, value)| match below(patterns, &key) {
                    None => Some((key, value)),
                    Some(rest) if rest.is_empty() => None,
                    Some(rest) => only(value, &rest).map(|value| (key, value)),
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Map(kept))
        }
        Value::Array(values) => {
            let kept: Vec<_> = values.into_iter().filter_map(|value| only(value, patterns)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn without<'a>(value: Value<'a>, patterns: &[Pattern<'_>]) -> Option<Value<'a>> {
    match value {
        Value::Map(pairs) => {
            let kept: Vec<_> = pairs
                .into_iter()
                .filter_map(|(key, value)| {
                    let rest = below(patterns, &key)?;
                    without(value, &rest).map(|value| (key, value))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Map(kept))
        }
        Value::Array(values) => {
            Some(Value::Array(values.into_iter().filter_map(|value| without(value, patterns)).collect()))
        }
        other => Some(other),
    }
}

/// `name` may hold any number of `*`. The greedy left-to-right match is right because `*` has no other meaning.
fn matches(name: &str, key: &str) -> bool {
    let Some((head, tail)) = name.split_once('*') else { return name == key };
    let Some(mut key) = key.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match key.find(part) {
            Some(at) => key = &key[at + part.len()..],
            None => return false,
        }
    }
    key.ends_with(last)
}

#[cfg(test)]
mod tests {
    use logkeep_record::json;

    use super::*;

    fn check(filter: &str, expected: &str) {
        let answer = r#"{"took":3,"errors":true,"items":[{"index":{"_id":"a","status":201}},{"create":{"_id":"b","status":400,"error":{"type":"t","reason":"r"}}}]}"#;
        let value = json::parse(answer).unwrap();
        let mut out = String::new();
        if let Some(value) = FilterPath::parse(filter).apply(value) {
            json::write(&value, &mut out);
        }
        assert_eq!(out, expected, "{filter}");
    }

    #[test]
    fn patterns() {
        check("took", r#"{"took":3}"#);
        check("t*k,e*", r#"{"took":3,"errors":true}"#);
        check("items.*.error", r#"{"items":[{"create":{"error":{"type":"t","reason":"r"}}}]}"#);
        check(
            "errors,items.*.status",
            r#"{"errors":true,"items":[{"index":{"status":201}},{"create":{"status":400}}]}"#,
        );
        check("**.type", r#"{"items":[{"create":{"error":{"type":"t"}}}]}"#);
        check("items.**._id,-items.index", r#"{"items":[{"create":{"_id":"b"}}]}"#);
        check("-items,-took", r#"{"errors":true}"#);
        check("nothing", "");
        check("items.in*x.st*a*us", r#"{"items":[{"index":{"status":201}}]}"#);
    }
}
