//! Lines of which it is known what statement of a program has written them.
//!
//! Grouping by template is as good as what it puts together and what it keeps apart, and neither can be said without lines
//! of which the truth is known. The families are in the manner of programs that everybody runs, in words of our own, with
//! what makes their lines hard: statements that differ in one word, names as variables, optional parts, lists, headers.

mod fill;
mod infrastructure;
mod platforms;
mod programs;
mod systems;
mod unseen;

use crate::Rng;

/// A program and its statements.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What it is in the manner of.
    pub name: &'static str,
    /// Whether a miner may be tuned on it. The others are to see what tuning was worth.
    pub tuned_on: bool,
    /// What stands before each line; `<…>` are variables.
    header: &'static str,
    /// The statements, often used ones first.
    statements: &'static [&'static str],
}

/// A line, and which statement it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// As the program would write it.
    pub text: String,
    /// The place of the statement in its family.
    pub statement: usize,
}

/// All families.
pub fn families() -> impl Iterator<Item = &'static Family> {
    let tuned_on = systems::FAMILIES.iter().chain(platforms::FAMILIES).chain(infrastructure::FAMILIES);
    tuned_on.chain(programs::FAMILIES).chain(unseen::FAMILIES)
}

impl Family {
    /// How many statements it has.
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// This many lines, the first statements far more often; the same for a seed everywhere. Each statement has a line at
    /// least where there are as many lines.
    pub fn lines(&self, seed: u64, count: usize) -> Vec<Written> {
        let mut rng = Rng::new(seed);
        let mut names = fill::Names::default();
        let mut lines: Vec<Written> = (0..count)
            .map(|nth| {
                let most = self.statements.len() as u64;
                let statement = if nth < self.statements.len() { nth } else { rng.skewed(most) as usize };
                self.line(&mut rng, &mut names, statement)
            })
            .collect();
        for last in (1..lines.len()).rev() {
            lines.swap(last, rng.below(last as u64 + 1) as usize);
        }
        lines
    }

    fn line(&self, rng: &mut Rng, names: &mut fill::Names, statement: usize) -> Written {
        let mut text = String::new();
        names.begin_line(statement);
        fill::fill(self.header, rng, names, &mut text);
        fill::fill(self.statements[statement], rng, names, &mut text);
        Written { text, statement }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_is_written_and_nothing_is_left_open() {
        assert!(families().filter(|family| family.tuned_on).count() >= 20);
        assert!(families().filter(|family| !family.tuned_on).count() >= 8);
        for family in families() {
            let lines = family.lines(7, 1_000);
            for statement in 0..family.statements() {
                assert!(lines.iter().any(|line| line.statement == statement), "{} {statement}", family.name);
            }
            assert_eq!(lines, family.lines(7, 1_000));
            assert_ne!(lines, family.lines(8, 1_000));
        }
    }

    #[test]
    fn marks_are_known() {
        for family in families() {
            for text in family.statements.iter().chain([&family.header]) {
                assert_eq!(fill::unknown(text), Vec::<&str>::new(), "{}", family.name);
            }
        }
    }
}
