//! The steps of a pipeline: each a section of one key, which says of what kind it is.

use std::path::{Path, PathBuf};

use logkeep_pipeline::parse_keep;
use logkeep_pipeline::spec::{Form, Parse, Sample, Step};
use logkeep_record::{Class, TenantId};

use super::super::read::Reader;
use super::super::tree::{Entry, Kind, Node};
use super::{entries, forms, scalar, tenant, unknown, when};

const KINDS: &[&str] = &["parse", "vrl", "sample", "route"];
/// A file with a program is never larger.
const FILE_BYTES: u64 = 64 << 10;

pub(super) fn step(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<Step> {
    let [entry] = entries(reader, node, "a step", "write `- vrl: …`")? else {
        let message = "`pipelines`: a step has one key, which says of what kind it is".to_owned();
        reader.fault(node.line, message, Some(format!("one of {}", KINDS.join(", "))));
        return None;
    };
    match entry.key.as_str() {
        "parse" => parse(reader, &entry.value),
        "vrl" => vrl(reader, entry),
        "sample" => sample(reader, &entry.value, tenants),
        "route" => route(reader, &entry.value, tenants),
        _ => {
            unknown(reader, entry, KINDS);
            None
        }
    }
}

fn fault<T>(reader: &mut Reader<'_>, line: u64, message: &str, hint: Option<String>) -> Option<T> {
    reader.fault(line, format!("`pipelines`: {message}"), hint);
    None
}

fn parse(reader: &mut Reader<'_>, node: &Node) -> Option<Step> {
    let (mut field, mut patterns) = ("body".to_owned(), Vec::new());
    for entry in entries(reader, node, "a pattern", "write `parse: {grok: \"…\"}`")? {
        let form = Form::NAMES.iter().find(|(name, _)| *name == entry.key);
        match (form, entry.key.as_str()) {
            (Some((_, form)), _) => patterns.push((*form, scalar(reader, entry)?.to_owned())),
            (_, "field") => field = scalar(reader, entry)?.to_owned(),
            _ => unknown(reader, entry, &[&forms()[..], &["field"]].concat()),
        }
    }
    match <[_; 1]>::try_from(patterns) {
        Ok([(form, pattern)]) => Some(Step::Parse(Parse { field, form, pattern })),
        Err(_) => fault(reader, node.line, "`parse` has one pattern", Some(format!("one of {}", forms().join(", ")))),
    }
}

fn vrl(reader: &mut Reader<'_>, entry: &Entry) -> Option<Step> {
    if let Kind::Scalar(source) = &entry.value.kind {
        return Some(Step::Vrl { source: source.clone(), file: None });
    }
    let hint = "write `vrl: |` and the program below it, or `vrl: {file: …}`";
    let [file] = entries(reader, &entry.value, "a program", hint)? else {
        return fault(reader, entry.line, "`vrl` has a program", Some(hint.into()));
    };
    if file.key != "file" {
        unknown(reader, file, &["file"]);
        return None;
    }
    let path = PathBuf::from(scalar(reader, file)?);
    match read(&path) {
        Ok(source) => Some(Step::Vrl { source, file: Some(path) }),
        Err(error) => fault(reader, file.line, &format!("`{}` {error}", path.display()), None),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES {
        return Err(format!("has {bytes} bytes; at most {FILE_BYTES} are allowed"));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn sample(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<Step> {
    let (mut keep, mut by, mut except) = (None, "trace_id".to_owned(), None);
    for entry in entries(reader, node, "how many to keep", "write `sample: {keep: 1/10}`")? {
        match entry.key.as_str() {
            "keep" => {
                let text = scalar(reader, entry)?;
                match parse_keep(text) {
                    Ok(below) => keep = Some((below, text.to_owned())),
                    Err(error) => return fault(reader, entry.line, &error.to_string(), None),
                }
            }
            "by" => by = scalar(reader, entry)?.to_owned(),
            "except" => {
                let when = when(reader, &entry.value, tenants);
                if !when.tenants.is_empty() || !when.signals.is_empty() {
                    let hint = Some("match it in the pipeline as a whole".to_owned());
                    return fault(reader, entry.line, "`except` is about fields and `min_severity`", hint);
                }
                except = Some(when);
            }
            _ => unknown(reader, entry, &["keep", "by", "except"]),
        }
    }
    match keep {
        Some((below, keep)) => Some(Step::Sample(Sample { below, keep, by, except })),
        None => fault(reader, node.line, "`sample` does not say how many to `keep`", Some("write `keep: 1/10`".into())),
    }
}

fn route(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<Step> {
    let (mut to, mut class) = (None, None);
    for entry in entries(reader, node, "a place", "write `route: {class: debug}`")? {
        match entry.key.as_str() {
            "tenant" => {
                let text = scalar(reader, entry)?;
                match tenant(text, tenants) {
                    Ok(tenant) => to = Some(tenant),
                    Err((message, hint)) => return fault(reader, entry.line, &message, hint),
                }
            }
            "class" => {
                let text = scalar(reader, entry)?;
                match Class::new(text) {
                    Ok(found) if found.holds_logs() => class = Some(found),
                    Ok(_) => return fault(reader, entry.line, &format!("the class `{text}` is Logkeep's own"), None),
                    Err(error) => return fault(reader, entry.line, &error.to_string(), None),
                }
            }
            _ => unknown(reader, entry, &["tenant", "class"]),
        }
    }
    if to.is_none() && class.is_none() {
        return fault(reader, node.line, "`route` says nothing of where", Some("write `route: {class: debug}`".into()));
    }
    Some(Step::Route { tenant: to, class })
}
