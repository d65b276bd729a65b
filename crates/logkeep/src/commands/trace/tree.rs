//! Spans to lines of a tree.
//!
//! What tracers send need not be a tree: parents are missing or come twice, a client and its server may share one id, and a
//! hostile sender makes circles. Whatever it is, every span and every record is one line, and no depth costs stack.

use std::collections::HashMap;

use super::{Log, Nanoseconds, Span};

/// Deeper branches are drawn as deep as this.
const DRAWN_DEPTH: usize = 40;

/// One line of the tree; `branch` is what is drawn before it.
#[derive(Debug)]
pub(super) enum Line<'t> {
    Span {
        span: &'t Span,
        branch: String,
        /// It names a parent that is not among the spans.
        lost_parent: bool,
    },
    Log {
        log: &'t Log,
        branch: String,
    },
}

#[derive(Clone, Copy)]
enum Node {
    Span(usize),
    Log(usize),
}

struct Tree<'t> {
    spans: &'t [Span],
    logs: &'t [Log],
    /// Of each span, what is below it.
    children: Vec<Vec<Node>>,
    roots: Vec<Node>,
}

/// The lines of the tree, each parent before its children, those by time.
pub(super) fn lines<'t>(spans: &'t [Span], logs: &'t [Log]) -> Vec<Line<'t>> {
    let mut tree = Tree { spans, logs, children: vec![Vec::new(); spans.len()], roots: Vec::new() };
    tree.grow();
    tree.draw()
}

impl<'t> Tree<'t> {
    fn grow(&mut self) {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        // Of two halves that share an id the server's is below the client's, and what either caused below the server's.
        let mut servers: HashMap<&str, usize> = HashMap::new();
        for (place, span) in self.spans.iter().enumerate() {
            let Some(id) = span.span_id.as_deref() else { continue };
            if is_called(span) {
                servers.entry(id).or_insert(place);
            } else {
                by_id.entry(id).or_insert(place);
            }
        }
        let holder = |id: &Option<String>| {
            let id = id.as_deref()?;
            servers.get(id).or_else(|| by_id.get(id)).copied()
        };
        let mut parents: Vec<Option<usize>> = Vec::with_capacity(self.spans.len());
        for (place, span) in self.spans.iter().enumerate() {
            let twin = span.span_id.as_deref().filter(|_| is_called(span)).and_then(|id| by_id.get(id)).copied();
            parents.push(twin.or_else(|| holder(&span.parent_span_id)).filter(|parent| *parent != place));
        }
        open_circles(&mut parents);
        for (place, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => self.children[*parent].push(Node::Span(place)),
                None => self.roots.push(Node::Span(place)),
            }
        }
        for (place, log) in self.logs.iter().enumerate() {
            match holder(&log.span_id) {
                Some(span) => self.children[span].push(Node::Log(place)),
                None => self.roots.push(Node::Log(place)),
            }
        }
        let (spans, logs) = (self.spans, self.logs);
        let time = |node: &Node| -> Nanoseconds {
            match *node {
                Node::Span(place) => spans[place].time_ns,
                Node::Log(place) => logs[place].time_ns,
            }
        };
        self.children.iter_mut().chain([&mut self.roots]).for_each(|nodes| nodes.sort_by_key(time));
    }

    fn draw(&self) -> Vec<Line<'t>> {
        let mut lines = Vec::with_capacity(self.spans.len() + self.logs.len());
        let mut waiting: Vec<(Node, String, String, usize)> =
            self.roots.iter().rev().map(|node| (*node, String::new(), String::new(), 0)).collect();
        while let Some((node, branch, below, depth)) = waiting.pop() {
            match node {
                Node::Log(place) => lines.push(Line::Log { log: &self.logs[place], branch }),
                Node::Span(place) => {
                    let span = &self.spans[place];
                    let lost_parent = depth == 0 && span.parent_span_id.is_some();
                    lines.push(Line::Span { span, branch, lost_parent });
                    let children = &self.children[place];
                    for (number, child) in children.iter().enumerate().rev() {
                        let last = number + 1 == children.len();
                        let (own, further) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                        let further = if depth < DRAWN_DEPTH { format!("{below}{further}") } else { below.clone() };
                        waiting.push((*child, format!("{below}{own}"), further, depth + 1));
                    }
                }
            }
        }
        lines
    }
}

fn is_called(span: &Span) -> bool {
    matches!(span.kind.as_str(), "server" | "consumer")
}

/// Takes away one parent of each circle.
fn open_circles(parents: &mut [Option<usize>]) {
    const UNSEEN: usize = usize::MAX;
    let mut seen_from = vec![UNSEEN; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while seen_from[at] == UNSEEN {
            seen_from[at] = start;
            match parents[at] {
                Some(parent) if seen_from[parent] == start => parents[at] = None,
                Some(parent) => at = parent,
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans as `id parent kind time`, records as `span time`.
    fn check(spans: &[&str], logs: &[&str], expected: &[&str]) {
        let some = |text: &str| (text != "-").then(|| text.to_owned());
        let number = |text: &str| Nanoseconds(text.parse().unwrap());
        let spans: Vec<Span> = spans
            .iter()
            .map(|text| {
                let [id, parent, kind, time] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
                let (name, kind) = (format!("{id}{}", &kind[..1]), kind.to_owned());
                Span {
                    span_id: some(id),
                    parent_span_id: some(parent),
                    kind,
                    name,
                    time_ns: number(time),
                    ..Span::default()
                }
            })
            .collect();
        let logs: Vec<Log> = logs
            .iter()
            .map(|text| {
                let (span, time) = text.split_once(' ').unwrap();
                Log { span_id: some(span), time_ns: number(time), ..Log::default() }
            })
            .collect();
        let drawn: Vec<String> = lines(&spans, &logs)
            .into_iter()
            .map(|line| match line {
                Line::Span { span, branch, lost_parent } => {
                    format!("{branch}{}{}", span.name, if lost_parent { "?" } else { "" })
                }
                Line::Log { log, branch } => format!("{branch}at {}", log.time_ns.0),
            })
            .collect();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn trees() {
        check(&[], &["- 1"], &["at 1"]);
        let spans = ["c b internal 5", "a - server 1", "b a client 2", "d a client 9"];
        check(
            &spans,
            &["b 3", "- 4", "c 6"],
            &["as", "├─ bc", "│  ├─ at 3", "│  └─ ci", "│     └─ at 6", "└─ dc", "at 4"],
        );
    }

    #[test]
    fn halves_that_share_an_id() {
        let spans = ["a - client 1", "a - server 2", "b a client 3"];
        check(&spans, &["a 4"], &["ac", "└─ as", "   ├─ bc", "   └─ at 4"]);
    }

    #[test]
    fn what_is_no_tree() {
        check(&["a x server 1"], &[], &["as?"]);
        check(&["a a server 1"], &[], &["as?"]);
        check(&["- - server 1", "- - server 0"], &[], &["-s", "-s"]);
        check(&["a b internal 1", "b a internal 2", "c b internal 3"], &[], &["bi?", "├─ ai", "└─ ci"]);
        check(
            &["a c internal 1", "b a internal 2", "c b internal 3"],
            &["a 9"],
            &["bi?", "└─ ci", "   └─ ai", "      └─ at 9"],
        );
    }

    #[test]
    fn depth_costs_no_stack_and_no_width() {
        let id = |n: usize| Some(n.to_string());
        let spans: Vec<Span> = (1..50_000)
            .map(|n| Span { span_id: id(n), parent_span_id: id(n - 1), kind: "internal".into(), ..Span::default() })
            .collect();
        let lines = lines(&spans, &[]);
        assert_eq!(lines.len(), spans.len());
        let widest = lines.iter().map(|line| match line {
            Line::Span { branch, .. } | Line::Log { branch, .. } => branch.chars().count(),
        });
        assert_eq!(widest.max(), Some((DRAWN_DEPTH + 1) * 3));
    }
}
