//! A line as words with their variables taken out, the form in which lines are compared and templates are kept.
//!
//! The form is one run of bytes with a blank between words, in which each variable is a single byte whatever it was. So
//! two lines of the same statement mostly have equal bytes, and one comparison finds the template.

use crate::kind::Kind;
use crate::limits::HEAD_WORDS;
use crate::words::Words;

/// In a form: a variable.
pub(crate) const VARIABLE: u8 = 1;
/// In the form of a template: anything without blanks, or nothing. Once in a word at most.
pub(crate) const ANYTHING: u8 = 2;
/// In a form: before a control character, which has its high bit set.
pub(crate) const ESCAPE: u8 = 3;
/// The form of the template of every text. No line has it.
pub(crate) const EVERYTHING: u8 = 4;
/// In a form: between words.
pub(crate) const BLANK: u8 = b' ';

/// A variable of a line, by its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Where a word begins: in the form, among the variables, and in the text; and where it ends in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Word {
    pub(crate) form: u32,
    pub(crate) variable: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Reused from line to line, so a line that is like one before takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) form: Vec<u8>,
    pub(crate) words: Vec<Word>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) kinds: Vec<Kind>,
    /// More lines follow, or the line is longer than what is looked at.
    pub(crate) rest: bool,
    /// Bytes of the text before its first that is not blank, from where places count.
    pub(crate) offset: usize,
}

impl Line {
    pub(crate) fn clear(&mut self) {
        self.form.clear();
        self.words.clear();
        self.variables.clear();
        self.kinds.clear();
        self.rest = false;
    }

    /// Cuts a line that is too long to its head.
    pub(crate) fn cut_to_head(&mut self) {
        self.rest = true;
        if let Some(next) = self.words.get(HEAD_WORDS) {
            self.form.truncate(next.form as usize - 1);
            self.variables.truncate(next.variable as usize);
            self.kinds.truncate(next.variable as usize);
            self.words.truncate(HEAD_WORDS);
        }
    }

    /// Forgets the last word.
    pub(crate) fn pop_word(&mut self) {
        let Some(word) = self.words.pop() else { return };
        self.form.truncate((word.form as usize).saturating_sub(1));
        self.variables.truncate(word.variable as usize);
        self.kinds.truncate(word.variable as usize);
    }
}

impl Words for Line {
    fn len(&self) -> usize {
        self.words.len()
    }

    fn word(&self, at: usize) -> &[u8] {
        let end = self.words.get(at + 1).map_or(self.form.len(), |next| next.form as usize - 1);
        &self.form[self.words[at].form as usize..end]
    }
}
