//! Where in a statement of SQL an error is, in Unicode characters, as far as the error tells.
//!
//! The parser knows a line and a column. The planner has only names left: where one stands in the statement exactly once,
//! there it is; which of several is meant cannot be told, and no place is better than a wrong one.

/// By what the parser says at the end of a message.
pub(super) fn of_parser(message: &str, sql: &str) -> Option<usize> {
    if message.ends_with("found: EOF") {
        return Some(sql.chars().count());
    }
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let (line, column) = (line.parse::<usize>().ok()?.checked_sub(1)?, column.parse::<usize>().ok()?.checked_sub(1)?);
    let before: usize = sql.split('\n').take(line).map(|line| line.chars().count() + 1).sum();
    Some((before + column).min(sql.chars().count()))
}

/// Of a name that is not known, quoted or not.
pub(super) fn of_name(name: &str, sql: &str) -> Option<usize> {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_';
    let (text, name) = (sql.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut places = text.match_indices(&name).map(|(start, _)| start).filter(|start| {
        let (before, after) = (&text[..*start], &text[start + name.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    });
    let start = places.next().filter(|_| !name.is_empty())?;
    let is_quoted = text[..start].ends_with('"');
    places.next().is_none().then(|| text[..start].chars().count() - usize::from(is_quoted))
}

#[cfg(test)]
mod tests {
    use super::{of_name, of_parser};

    #[test]
    fn what_the_parser_says_is_a_place() {
        let check = |message: &str, sql: &str, expected| assert_eq!(of_parser(message, sql), expected, "{message}");
        check("found: selec at Line: 1, Column: 1", "selec 1", Some(0));
        check("found: from at Line: 2, Column: 3", "select\n  from", Some(9));
        check("found: x at Line: 1, Column: 12", "select '€€' x", Some(11));
        check("found: EOF", "select '€", Some(9));
        check("found: x at Line: 1, Column: 900", "select", Some(6));
        check("found: x at Line: 0, Column: 0", "select", None);
        check("found: ' at Line: 1, Column: 2'", "select", None);
        check("too many", "select", None);
    }

    #[test]
    fn a_name_has_a_place_if_it_is_there_once() {
        let check = |name: &str, sql: &str, expected| assert_eq!(of_name(name, sql), expected, "{sql}");
        check("nope", "select nope from logs", Some(7));
        check("nope", "select '€', NOPE from logs", Some(12));
        check("no pe", "select \"no pe\" from logs", Some(7));
        check("nope", "select nope from logs order by nope", None);
        check("nope", "select nopes, a_nope from logs", None);
        check("", "select", None);
    }
}
