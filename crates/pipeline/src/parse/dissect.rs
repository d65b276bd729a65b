//! Dissect: names between what separates them (`%{time} %{+time} %{level->} %{?skipped} %{message}`), as Logstash and
//! Filebeat have it. One pass over the text, no expressions. A name is never taken from the text (`%{*key}`): whoever
//! sends would choose which fields are set.

use super::{Found, owned};

/// Keys of one pattern.
const KEYS: usize = 128;

/// What becomes of the part that a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// Is set under this name: the place among all names.
    Name(usize),
    /// Is put behind what is under this name, with what separated it; with `/2` in this order.
    Append { name: usize, order: u32 },
    /// Is left out.
    Skip,
}

#[derive(Debug)]
struct Part {
    key: Key,
    /// Whether what separates may come more than once.
    is_padded: bool,
    /// What follows; empty at the end.
    after: String,
}

#[derive(Debug)]
pub(super) struct Dissect {
    before: String,
    parts: Vec<Part>,
    names: Vec<String>,
}

impl Dissect {
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let (before, mut rest) = pattern.split_once("%{").ok_or("a pattern has keys like `%{name}`")?;
        let mut dissect = Self { before: before.to_owned(), parts: Vec::new(), names: Vec::new() };
        loop {
            let (key, after) = rest.split_once('}').ok_or("a `%{` has no `}`")?;
            let (after, next) = after.split_once("%{").map_or((after, None), |(after, next)| (after, Some(next)));
            if after.is_empty() && next.is_some() {
                return Err(format!("nothing stands between `%{{{key}}}` and the key behind it"));
            }
            dissect.push(key, after)?;
            match next {
                Some(next) => rest = next,
                None => break,
            }
        }
        Ok(dissect)
    }

    fn push(&mut self, key: &str, after: &str) -> Result<(), String> {
        if self.parts.len() >= KEYS {
            return Err(format!("a pattern has at most {KEYS} keys"));
        }
        let (key, is_padded) = key.strip_suffix("->").map_or((key, false), |key| (key, true));
        let key = match key.split_at_checked(1) {
            None => Key::Skip,
            Some(("?", _)) => Key::Skip,
            Some(("*" | "&", _)) => return Err(format!("`%{{{key}}}` would let the text name a field; use a program")),
            Some(("+", name)) => {
                let (name, order) = name.rsplit_once('/').map_or((name, None), |(name, order)| (name, Some(order)));
                let order = order.map_or(Ok(0), str::parse).map_err(|_| format!("`+{name}/…` has no number"))?;
                Key::Append { name: place(&mut self.names, name), order }
            }
            Some(_) => Key::Name(place(&mut self.names, key)),
        };
        self.parts.push(Part { key, is_padded, after: after.to_owned() });
        Ok(())
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub(super) fn find(&self, text: &str) -> Result<Found<'_>, String> {
        let mut rest = text.strip_prefix(self.before.as_str()).ok_or_else(|| missing(&self.before))?;
        let mut pieces = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let piece;
            (piece, rest) = part.cut(rest)?;
            pieces.push(piece);
        }
        Ok(self.assemble(&pieces))
    }

    fn assemble(&self, pieces: &[&str]) -> Found<'_> {
        let mut found: Found<'_> = Vec::with_capacity(self.names.len());
        for (place, name) in self.names.iter().enumerate() {
            let mut parts: Vec<(u32, &str, &str)> = Vec::new();
            for (at, (part, piece)) in self.parts.iter().zip(pieces).enumerate() {
                // What stands before it, for the first what stands behind it: another may come before it.
                let before = self.parts[at.saturating_sub(1)].after.as_str();
                match part.key {
                    Key::Name(one) if one == place => parts.push((0, before, piece)),
                    Key::Append { name, order } if name == place => parts.push((order, before, piece)),
                    _ => {}
                }
            }
            parts.sort_by_key(|(order, ..)| *order);
            let mut value = String::new();
            for (number, (_, before, piece)) in parts.into_iter().enumerate() {
                value.push_str(if number > 0 { before } else { "" });
                value.push_str(piece);
            }
            found.push((name, owned(&value)));
        }
        found
    }
}

fn place(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn missing(what: &str) -> String {
    let what: String = what.chars().take(40).collect();
    format!("dissect: `{what}` is not where the pattern has it")
}

impl Part {
    /// The piece up to what separates, and what is left.
    fn cut<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), String> {
        if self.after.is_empty() {
            return Ok((text, ""));
        }
        let at = text.find(&self.after).ok_or_else(|| missing(&self.after))?;
        let (piece, mut rest) = (&text[..at], &text[at + self.after.len()..]);
        while let Some(more) = rest.strip_prefix(self.after.as_str()).filter(|_| self.is_padded) {
            rest = more;
        }
        Ok((piece, rest))
    }
}
