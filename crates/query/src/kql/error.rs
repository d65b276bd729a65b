//! What is wrong with a query, where, and what was probably meant.

/// A query that cannot be understood. The HTTP API hands it out as it is (docs/api.md, "Errors").
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position}")]
pub struct KqlError {
    /// What was wrong.
    pub message: String,
    /// Unicode characters before the fault.
    pub position: usize,
    /// Characters the fault covers; 0 where something is missing.
    pub length: usize,
    /// What could have stood there.
    pub expected: Vec<&'static str>,
    /// A whole query that would have worked.
    pub suggestion: Option<String>,
}

impl KqlError {
    pub(crate) fn new(message: impl Into<String>, position: usize, length: usize) -> Self {
        Self { message: message.into(), position, length, expected: Vec::new(), suggestion: None }
    }

    pub(crate) fn expected(mut self, expected: &[&'static str]) -> Self {
        self.expected = expected.to_vec();
        self
    }

    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into()).filter(|text: &String| !text.trim().is_empty());
        self
    }
}

/// The known field nearest to `name`: one that ends in it (`status_code` for `http.response.status_code`), or one a
/// few typing errors away. `None` where nothing is near, or `name` itself is known.
pub fn suggest_field<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.is_empty() || known.contains(&name) {
        return None;
    }
    let wanted = name.to_lowercase();
    let suffix = format!(".{wanted}");
    let by_suffix = known.iter().filter(|field| field.to_lowercase().ends_with(&suffix)).min_by_key(|f| f.len());
    if let Some(field) = by_suffix {
        return Some(field);
    }
    let allowed = (wanted.chars().count() / 4).clamp(1, 3);
    known
        .iter()
        .map(|field| (strsim::damerau_levenshtein(&wanted, &field.to_lowercase()), *field))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, field)| field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses() {
        let known = ["service.name", "http.response.status_code", "url.path", "body"];
        for (name, expected) in [
            ("service.nmae", Some("service.name")),
            ("status_code", Some("http.response.status_code")),
            ("Service.Name", Some("service.name")),
            ("url_path", Some("url.path")),
            ("boby", Some("body")),
            ("url.path", None),
            ("latency", None),
            ("", None),
        ] {
            assert_eq!(suggest_field(name, &known), expected, "{name}");
        }
    }
}
