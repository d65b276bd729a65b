//! What is the same in all lines that a statement of a program writes, and where they differ.

mod text;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::kind::Kind;
use crate::line::{ANYTHING, BLANK, ESCAPE, EVERYTHING, Line, VARIABLE, Word};
use crate::scan;
use crate::words::{self, Words};

pub use text::TemplateError;

/// Names a template for good, whatever its text becomes. Printed and parsed as 16 digits of base 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateId(pub u64);

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a word of a template begins in its form, and among its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Place {
    form: u32,
    variable: u32,
    /// Where in the word anything may stand, or [`NOWHERE`].
    anything: u32,
}

const NOWHERE: u32 = u32::MAX;

/// A template. Its text, by `Display`, is its stored form; [`Template::parse`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    form: Box<[u8]>,
    words: Box<[Place]>,
    kinds: Box<[Kind]>,
    rest: bool,
    has_anything: bool,
}

/// A part of a line that its template leaves open, by its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it looks like in this line; [`Kind::Mixed`] where the template has `<*>`.
    pub kind: Kind,
    /// Where it stands. Only `<*>` may be empty.
    pub place: Range<usize>,
}

/// Memory for reading lines, reused from one to the next.
#[derive(Debug, Default)]
pub struct Reader {
    line: Line,
}

impl Template {
    /// The template of which this line is the only one.
    pub(crate) fn of(line: &Line) -> Self {
        let place = |word: &Word| Place { form: word.form, variable: word.variable, anything: NOWHERE };
        Self {
            form: line.form.as_slice().into(),
            words: line.words.iter().map(place).collect(),
            kinds: line.kinds.as_slice().into(),
            rest: line.rest,
            has_anything: false,
        }
    }

    /// The template of every text: of rows for whose own templates there was no room. Its text is `<...>`.
    pub(crate) fn everything() -> Self {
        let form: Box<[u8]> = [EVERYTHING].into();
        Self { form, words: [].into(), kinds: [].into(), rest: true, has_anything: false }
    }

    pub(crate) fn is_everything(&self) -> bool {
        *self.form == [EVERYTHING]
    }

    /// The same for every line of this form, on every machine: what kinds the variables are of, and whether more lines
    /// follow, does not count.
    pub(crate) fn first_id(&self) -> TemplateId {
        TemplateId(xxh3_64(&self.form))
    }

    pub(crate) fn form(&self) -> &[u8] {
        &self.form
    }

    /// A hash that is the same for templates of which one has variables where the other has anything, and the rest is equal.
    pub(crate) fn shape(&self) -> u64 {
        if !self.has_anything {
            return xxh3_64(&self.form);
        }
        let shape: Vec<u8> = self.form.iter().map(|byte| shape(*byte)).collect();
        xxh3_64(&shape)
    }

    /// Whether that holds for two templates.
    pub(crate) fn is_shaped_like(&self, other: &Self) -> bool {
        self.form.len() == other.form.len()
            && self.form.iter().zip(&other.form).all(|(own, other)| shape(*own) == shape(*other))
    }

    pub(crate) fn has_anything(&self) -> bool {
        self.has_anything
    }

    fn kinds_of(&self, at: usize) -> &[Kind] {
        let end = self.words.get(at + 1).map_or(self.kinds.len(), |next| next.variable as usize);
        &self.kinds[self.words[at].variable as usize..end]
    }

    /// Bytes of memory, roughly.
    pub fn bytes(&self) -> usize {
        self.form.len() + self.words.len() * size_of::<Place>() + self.kinds.len() + size_of::<Self>()
    }

    /// Whether the words of a line are of this template, whatever kinds its variables are of.
    pub(crate) fn covers_words(&self, line: &Line) -> bool {
        if !self.has_anything {
            return *self.form == *line.form;
        }
        self.covers_each(line)
    }

    /// The same for another template.
    pub(crate) fn covers_words_of(&self, other: &Self) -> bool {
        self.has_anything && self.covers_each(other)
    }

    fn covers_each(&self, other: &impl Words) -> bool {
        let covers = |at: usize| match self.words[at].anything {
            NOWHERE => self.word(at) == other.word(at),
            anything => words::covers_around(self.word(at), anything as usize, other.word(at)),
        };
        self.words.len() == other.len() && (0..self.words.len()).all(covers)
    }

    /// Whether nothing of a line whose words are of this template is new to it.
    pub(crate) fn has_kinds(&self, line: &Line) -> bool {
        (self.rest || !line.rest) && (*self.kinds == *line.kinds || self.pairs(line).all(|(own, new)| own.holds(new)))
    }

    /// The kinds of this template, each with the kind in a line whose words are of it.
    fn pairs<'a>(&'a self, line: &'a Line) -> impl Iterator<Item = (Kind, Kind)> + 'a {
        (0..self.words.len()).flat_map(move |at| {
            let own = self.kinds_of(at);
            let next = line.words.get(at + 1).map_or(line.kinds.len(), |next| next.variable as usize);
            let new = &line.kinds[line.words[at].variable as usize..next];
            let head = words::split(self.word(at)).map_or(own.len(), |(head, _)| words::variables(head));
            let tail = own.len() - head;
            let new = new[..head].iter().chain(&new[new.len() - tail..]);
            own.iter().copied().zip(new.copied())
        })
    }

    /// Whether a text is of this template.
    pub fn matches(&self, reader: &mut Reader, text: &str) -> bool {
        scan::read(text, &mut reader.line);
        self.is_everything() || (self.covers_words(&reader.line) && self.has_kinds(&reader.line))
    }

    /// What this template leaves open of a text, in order; `None` if the text is not of it. What follows the line, where
    /// the template ends with `<...>`, is none.
    pub fn parameters(&self, reader: &mut Reader, text: &str) -> Option<Vec<Parameter>> {
        if !self.matches(reader, text) {
            return None;
        }
        let mut found = Vec::with_capacity(self.kinds.len() + 1);
        (0..self.words.len()).for_each(|at| self.parameters_of(at, &reader.line, &mut found));
        Some(found)
    }

    fn parameters_of(&self, at: usize, line: &Line, found: &mut Vec<Parameter>) {
        let word = line.words[at];
        let end = line.words.get(at + 1).map_or(line.kinds.len(), |next| next.variable as usize);
        let all = word.variable as usize..end;
        let parameter = |variable: usize| Parameter {
            kind: line.kinds[variable],
            place: line.offset + line.variables[variable].start as usize
                ..line.offset + line.variables[variable].end as usize,
        };
        let Some((head, tail)) = words::split(self.word(at)) else {
            return found.extend(all.map(parameter));
        };
        let (heads, tails) = (words::variables(head), words::variables(tail));
        let start = word.start as usize + length(head, line, all.start);
        let stop = word.end as usize - length(tail, line, all.end - tails);
        found.extend((all.start..all.start + heads).map(parameter));
        found.push(Parameter { kind: Kind::Mixed, place: line.offset + start..line.offset + stop });
        found.extend((all.end - tails..all.end).map(parameter));
    }

    /// The words of a template, with this in the place of each variable and of anything.
    #[cfg(test)]
    pub(crate) fn constants_with(&self, mark: &str) -> String {
        let mut bytes = Vec::new();
        let mut form = self.form.iter();
        while let Some(byte) = form.next() {
            match *byte {
                VARIABLE | ANYTHING => bytes.extend_from_slice(mark.as_bytes()),
                ESCAPE => bytes.extend(form.next().map(|byte| byte & 0x7f)),
                byte => bytes.push(byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether every text that is of `other` is of this template as well.
    pub fn covers(&self, other: &Self) -> bool {
        let is_covered = || (0..self.words.len()).all(|at| self.covers_word(other, at));
        let fits = self.words.len() == other.words.len() && (self.rest || !other.rest);
        self.is_everything() || (fits && is_covered())
    }

    fn covers_word(&self, other: &Self, at: usize) -> bool {
        let (own, new) = (self.kinds_of(at), other.kinds_of(at));
        let holds = |own: &[Kind], new: &[Kind]| own.iter().zip(new).all(|(own, new)| own.holds(*new));
        let head = words::split(self.word(at)).map_or(own.len(), |(head, _)| words::variables(head));
        words::covers(self.word(at), other.word(at))
            && holds(&own[..head], &new[..head])
            && holds(&own[head..], &new[new.len() - (own.len() - head)..])
    }

    /// The narrowest template that covers both; `None` if they have different numbers of words.
    pub fn join(&self, other: &Self) -> Option<Self> {
        if self.is_everything() || other.is_everything() {
            return Some(Self::everything());
        }
        (self.words.len() == other.words.len()).then(|| {
            let mut joined = Joined::default();
            for at in 0..self.words.len() {
                joined.word((self.word(at), self.kinds_of(at)), (other.word(at), other.kinds_of(at)));
            }
            joined.template(self.rest || other.rest)
        })
    }

    /// The template that covers this one and a line of as many words.
    pub(crate) fn join_line(&self, line: &Line) -> Option<Self> {
        self.join(&Self::of(line))
    }

    /// A total order in which whatever covers a template comes before it: by how much a line must have, fewest first, then
    /// by bytes, so that it is the same everywhere.
    pub fn by_generality(&self, other: &Self) -> Ordering {
        let key = |one: &Self| {
            let mixed = one.kinds.iter().filter(|kind| **kind == Kind::Mixed).count();
            let least = one.form.iter().filter(|byte| !matches!(**byte, ANYTHING | BLANK | EVERYTHING)).count();
            let open = one.form.iter().filter(|byte| **byte == ANYTHING).count();
            (one.words.len(), least, usize::MAX - open, !one.rest, usize::MAX - mixed)
        };
        let order = key(self).cmp(&key(other));
        order.then_with(|| self.form.cmp(&other.form)).then_with(|| self.kinds.cmp(&other.kinds))
    }
}

fn shape(byte: u8) -> u8 {
    if byte == ANYTHING { VARIABLE } else { byte }
}

impl Words for Template {
    fn len(&self) -> usize {
        self.words.len()
    }

    fn word(&self, at: usize) -> &[u8] {
        let end = self.words.get(at + 1).map_or(self.form.len(), |next| next.form as usize - 1);
        &self.form[self.words[at].form as usize..end]
    }
}

/// Bytes of text that a part of a form stands for, whose variables begin with this one of the line.
fn length(part: &[u8], line: &Line, mut variable: usize) -> usize {
    let mut length = 0;
    for byte in part {
        match *byte {
            VARIABLE => {
                let place = line.variables[variable];
                length += (place.end - place.start) as usize;
                variable += 1;
            }
            ESCAPE => {}
            _ => length += 1,
        }
    }
    length
}

/// A template in the making.
#[derive(Default)]
struct Joined {
    form: Vec<u8>,
    words: Vec<Place>,
    kinds: Vec<Kind>,
}

impl Joined {
    fn begin_word(&mut self) {
        if !self.words.is_empty() {
            self.form.push(BLANK);
        }
        let (form, variable) = (self.form.len() as u32, self.kinds.len() as u32);
        self.words.push(Place { form, variable, anything: NOWHERE });
    }

    fn word(&mut self, one: (&[u8], &[Kind]), other: (&[u8], &[Kind])) {
        self.begin_word();
        let start = self.form.len();
        words::join(one.0, other.0, &mut self.form);
        let joined = &self.form[start..];
        let head = words::split(joined).map_or_else(|| words::variables(joined), |(head, _)| words::variables(head));
        let tail = words::variables(joined) - head;
        let pick = |kinds: &[Kind]| {
            let tail = kinds[kinds.len() - tail..].iter();
            kinds[..head].iter().chain(tail).copied().collect::<Vec<_>>()
        };
        let joined = pick(one.1).into_iter().zip(pick(other.1)).map(|(one, other)| one.join(other));
        self.kinds.extend(joined);
    }

    fn template(mut self, rest: bool) -> Template {
        for word in &mut self.words {
            let rest = &self.form[word.form as usize..];
            let rest = &rest[..memchr::memchr(BLANK, rest).unwrap_or(rest.len())];
            word.anything = memchr::memchr(ANYTHING, rest).map_or(NOWHERE, |at| at as u32);
        }
        Template {
            has_anything: self.form.contains(&ANYTHING),
            form: self.form.into(),
            words: self.words.into(),
            kinds: self.kinds.into(),
            rest,
        }
    }
}
