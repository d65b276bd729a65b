//! What must be reached, and how far a run is from it.
//!
//! A store is measured on one machine and its peers on another day, so most goals are ratios to the peer that ran in the
//! same minutes. The best peers of each query were measured once with that same peer beside them; their ratio to it
//! carries over.

use serde_json::{Value, json};

/// What a figure is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// At least this many times the peer's.
    AtLeastTimes(f64),
    /// At most this many times the peer's.
    AtMostTimes(f64),
    /// At most this, in the unit of the figure.
    AtMost(f64),
    /// Shown only.
    None,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) ours: Option<f64>,
    pub(crate) peer: Option<f64>,
    pub(crate) goal: Goal,
}

impl Figure {
    pub(crate) fn new(title: &str, ours: Option<f64>, peer: Option<f64>, goal: Goal) -> Self {
        Self { title: title.to_owned(), ours, peer, goal }
    }

    /// Ours to the peer's.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.peer.filter(|peer| *peer > 0.0).and_then(|peer| Some(self.ours? / peer))
    }

    /// Whether the goal is reached; `None` where there is none, or no figure.
    pub(crate) fn reached(&self) -> Option<bool> {
        match self.goal {
            Goal::AtLeastTimes(least) => self.ratio().map(|ratio| ratio >= least),
            Goal::AtMostTimes(most) => self.ratio().map(|ratio| ratio <= most),
            Goal::AtMost(most) => self.ours.map(|ours| ours <= most),
            Goal::None => None,
        }
    }

    pub(crate) fn head(ours: &str, peer: &str) -> Vec<String> {
        ["", ours, peer, "ratio", "must reach", "reached", "answers"].map(str::to_owned).to_vec()
    }

    /// Its cells in the table.
    pub(crate) fn row(&self) -> Vec<String> {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let goal = match self.goal {
            Goal::AtLeastTimes(least) => format!(">= {least} x"),
            Goal::AtMostTimes(most) => format!("<= {most} x"),
            Goal::AtMost(most) => format!("<= {most}"),
            Goal::None => String::new(),
        };
        let reached = match (self.goal, self.reached()) {
            (Goal::None, _) => "",
            (_, Some(true)) => "yes",
            (_, Some(false)) => "NO",
            (_, None) => "not measured",
        };
        let ratio = self.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.2} x"));
        vec![self.title.clone(), number(self.ours), number(self.peer), ratio, goal, reached.to_owned()]
    }

    pub(crate) fn json(&self) -> Value {
        let [at_least, at_most, absolute] = match self.goal {
            Goal::AtLeastTimes(least) => [Some(least), None, None],
            Goal::AtMostTimes(most) => [None, Some(most), None],
            Goal::AtMost(most) => [None, None, Some(most)],
            Goal::None => [None; 3],
        };
        json!({
            "title": self.title, "ours": self.ours, "peer": self.peer, "ratio": self.ratio(), "reached": self.reached(),
            "at_least_times": at_least, "at_most_times": at_most, "at_most": absolute,
        })
    }
}

/// A query's goal, and the best of its peers.
#[derive(Debug)]
pub(crate) struct QueryGoal {
    pub(crate) id: &'static str,
    pub(crate) warm: Goal,
    /// Milliseconds.
    pub(crate) cold: Option<f64>,
    best_ms: f64,
    chdb_ms: f64,
}

impl QueryGoal {
    const fn new(id: &'static str, warm: Goal, best_ms: f64, chdb_ms: f64) -> Self {
        Self { id, warm, cold: None, best_ms, chdb_ms }
    }

    const fn cold(self, ms: f64) -> Self {
        Self { cold: Some(ms), ..self }
    }

    /// The best peer's time as a share of chdb's.
    pub(crate) fn best_ratio(&self) -> f64 {
        self.best_ms / self.chdb_ms
    }
}

/// Warm medians of VictoriaLogs 1.26.0, Loki 65e30f84, chdb 4.4.0 and DuckDB 2.0.0 over the same two million lines on two
/// cores, 2026-11-20: the least of the four, and chdb's.
pub(crate) const QUERIES: [QueryGoal; 10] = [
    QueryGoal::new("needle", Goal::AtMost(5.0), 4.1, 32.8).cold(60.0), // VictoriaLogs
    QueryGoal::new("trace", Goal::AtMost(8.0), 7.7, 71.9).cold(60.0),  // VictoriaLogs
    QueryGoal::new("errors_by_service", Goal::AtMostTimes(1.0), 11.0, 18.3), // DuckDB
    QueryGoal::new("errors_per_minute", Goal::AtMostTimes(1.0), 24.8, 37.3), // DuckDB
    QueryGoal::new("regex", Goal::AtMostTimes(1.0), 151.0, 151.0),     // chdb
    QueryGoal::new("last_errors", Goal::AtMostTimes(0.4), 6.0, 23.8),  // Loki
    QueryGoal::new("top_paths", Goal::AtMostTimes(1.5), 112.0, 112.0), // chdb
    QueryGoal::new("quantiles", Goal::AtMostTimes(1.5), 25.0, 25.0),   // chdb
    QueryGoal::new("addresses", Goal::AtMostTimes(1.5), 19.7, 19.7),   // chdb
    QueryGoal::new("count", Goal::AtMost(2.0), 0.9, 1.9),              // VictoriaLogs
];

/// The goal of the query `id`.
pub(crate) fn of(id: &str) -> Option<&'static QueryGoal> {
    QUERIES.iter().find(|goal| goal.id == id)
}

/// The geometric mean over all queries of ours to what the best peer of each would take here: chdb's time of this run
/// times that peer's ratio to chdb. `None` if a time is missing.
pub(crate) fn to_best_peers(times: impl Fn(&str) -> Option<(f64, f64)>) -> Option<f64> {
    let logs = QUERIES.iter().map(|goal| {
        let (ours, chdb) = times(goal.id)?;
        let best = chdb * goal.best_ratio();
        (ours > 0.0 && best > 0.0).then(|| (ours / best).ln())
    });
    let logs = logs.collect::<Option<Vec<f64>>>()?;
    Some((logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(goal: Goal, ours: Option<f64>, peer: Option<f64>, reached: Option<bool>, cell: &str) {
        let figure = Figure::new("x", ours, peer, goal);
        assert_eq!(figure.reached(), reached, "{figure:?}");
        assert_eq!(figure.row()[5], cell, "{figure:?}");
    }

    #[test]
    fn goals() {
        check(Goal::AtLeastTimes(1.2), Some(12.0), Some(10.0), Some(true), "yes");
        check(Goal::AtLeastTimes(1.2), Some(11.9), Some(10.0), Some(false), "NO");
        check(Goal::AtMostTimes(0.4), Some(4.0), Some(10.0), Some(true), "yes");
        check(Goal::AtMostTimes(0.4), Some(4.1), Some(10.0), Some(false), "NO");
        check(Goal::AtMost(5.0), Some(5.0), None, Some(true), "yes");
        check(Goal::AtMost(5.0), Some(5.1), Some(100.0), Some(false), "NO");
        check(Goal::AtMost(5.0), None, Some(1.0), None, "not measured");
        check(Goal::AtMostTimes(1.0), Some(1.0), Some(0.0), None, "not measured");
        check(Goal::None, Some(1.0), Some(1.0), None, "");
    }

    #[test]
    fn as_fast_as_the_best_of_each_is_one() {
        let best = |id: &str| of(id).map(|goal| (goal.best_ratio() * 10.0, 10.0));
        assert!((to_best_peers(best).unwrap() - 1.0).abs() < 1e-9);
        let twice = |id: &str| of(id).map(|goal| (goal.best_ratio() * 20.0, 10.0));
        assert!((to_best_peers(twice).unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(to_best_peers(|id| (id != "regex").then_some((1.0, 1.0))), None);
    }

    #[test]
    fn every_query_has_a_goal() {
        let questions = crate::query::questions().unwrap();
        assert_eq!(questions.iter().map(|q| q.id.as_str()).collect::<Vec<_>>(), QUERIES.map(|goal| goal.id));
        assert!(QUERIES.iter().all(|goal| goal.best_ratio() <= 1.0));
    }
}
