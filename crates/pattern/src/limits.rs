//! How much is looked at, and how much is kept.

/// Bytes of a line that are looked at. A message says what it is about in its first words; two kilobytes hold the longest
/// access logs in JSON (about 1,200 bytes with all that Envoy can log).
///
/// This and the two numbers below are no settings: they are part of what a stored template means.
pub const LINE_BYTES: usize = 2_048;
/// Words of a line that are looked at. Statements of programs have ten to twenty; 64 hold headers and pairs of keys and
/// values as well.
pub const LINE_WORDS: usize = 64;
/// Words that a line which is longer than that is known by: its head. All of what was looked at would make dumps of tables
/// and of memory, which differ in each line, a template a line.
pub const HEAD_WORDS: usize = 16;

/// Other ids that a template is known by, at most. They come about when templates turn out to be one, which happens to
/// [`Limits::siblings`] of them at once.
pub const ALIASES: usize = 64;

/// How much a miner keeps. How deep the tree is follows from how lines are read: three words at most lead to a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams. The one that was written to least recently goes first; a mesh of a thousand services is large.
    pub streams: usize,
    /// Templates of one stream. Programs have tens to hundreds of statements that log; one with more than a thousand
    /// templates writes something else than messages, and its old templates make way.
    pub templates: usize,
    /// Templates that begin alike, and are compared with a new line one by one. What a line costs at most is in proportion.
    pub alike: usize,
    /// How many templates must differ in one of the first two words of their sentence, and otherwise be alike, before that
    /// word is a variable: of templates with two or more other words in common, with one, and with none. Below that,
    /// `VM started` and `VM paused` are two.
    pub siblings: [usize; 3],
    /// How many values a plain word must have, where all else is the same, before it is a variable. Two are a state more
    /// often than a name (`up` and `down`, `opened` and `closed`), and to show both as one hides what matters.
    pub values: usize,
    /// Forms of lines that are remembered with their template, for each stream: 16 bytes each.
    pub known: usize,
    /// Templates of one run, so of one segment's list. Rows of further ones get the template of every text, `<...>`, for each of
    /// at most `streams` streams: what makes more templates than this of a million rows writes no messages.
    pub listed: usize,
    /// Bytes of all templates together, what they take in maps included. The least recent streams make way.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 1_024,
            templates: 1_024,
            alike: 32,
            siblings: [5, 12, 48],
            values: 3,
            known: 2_048,
            listed: 8_192,
            bytes: 32 << 20,
        }
    }
}
