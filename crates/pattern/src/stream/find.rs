//! Which template a line has, among those that there are.

use crate::limits::Limits;
use crate::line::Line;
use crate::template::Template;

use super::Stream;
use super::alike::{Likeness, likeness, only_difference};
use super::route::Route;

/// Hundredths of likeness from which a line is of a template: while few templates begin alike, when there are many, and
/// when there is no room for more.
const ALIKE: u32 = 60;
const ALIKE_OF_MANY: u32 = 45;
const ALIKE_OF_ALL: u32 = 30;
const MANY: usize = 16;

impl Stream {
    pub(super) fn same_shape(&self, hash: u64, line: &Line) -> Option<u32> {
        self.shapes.get(&hash).copied().filter(|at| self.slot(*at).is_some_and(|slot| slot.template.covers_words(line)))
    }

    /// The template that covers a line with the most that is its own, or else the one that is most like it. Which one it is
    /// does not depend on the order in which they came. Behind it are those that are the same then.
    pub(super) fn best(&self, line: &Line, route: &Route, limits: &Limits) -> Option<Vec<u32>> {
        let mut keys = [0; 9];
        keys[..8].copy_from_slice(&route.keys(line));
        keys[8] = Route::row_key(line);
        let mut covering: Option<(u32, &Template)> = None;
        let mut alike: Option<(u32, &Template, Likeness)> = None;
        for (nth, key) in keys.iter().enumerate().filter(|(nth, key)| !keys[..*nth].contains(key)) {
            let Some(slots) = self.routes.get(key) else { continue };
            let least = match slots.len() {
                count if count >= limits.alike => ALIKE_OF_ALL,
                count if count >= MANY => ALIKE_OF_MANY,
                _ => ALIKE,
            };
            for (at, template) in slots.iter().filter_map(|at| Some((*at, &self.slot(*at)?.template))) {
                if template.covers_words(line) {
                    if covering.is_none_or(|(_, best)| best.by_generality(template).is_lt()) {
                        covering = Some((at, template));
                    }
                } else if covering.is_none() && matches!(nth, 0 | 1 | 2 | 4) {
                    let Some(new) = likeness(template, line, route, least) else { continue };
                    let is_better = alike.is_none_or(|(_, best, old)| {
                        new.is_more_than(old) || (new == old && best.by_generality(template).is_lt())
                    });
                    if is_better {
                        alike = Some((at, template, new));
                    }
                }
            }
        }
        if let Some((at, _)) = covering {
            return Some(vec![at]);
        }
        let (at, template, _) = alike?;
        match only_difference(template, line) {
            Some(word) => self.values(at, word, line, route, limits),
            None => Some(vec![at]),
        }
    }

    /// Templates that differ from a line in this word alone, if with it they are so many that it is a variable.
    pub(super) fn values(&self, at: u32, word: usize, line: &Line, route: &Route, limits: &Limits) -> Option<Vec<u32>> {
        let template = &self.slot(at)?.template;
        let slots = self
            .routes
            .get(&Route::of(template).own_key(template))
            .or_else(|| self.routes.get(&route.own_key(line)))?;
        let differs = |other: &u32| {
            *other != at && self.slot(*other).is_some_and(|slot| only_difference(&slot.template, line) == Some(word))
        };
        let mut others: Vec<u32> = slots.iter().copied().filter(differs).collect();
        others.sort_by(|one, other| self.order(*one, *other));
        let all: Vec<u32> = [at].into_iter().chain(others).collect();
        (all.len() + 1 >= limits.values.max(2)).then_some(all)
    }
}
