//! How well lines of known statements are grouped. `cargo run --release -p logkeep-pattern --example accuracy` shows it
//! family by family.

mod score;

use logkeep_meshsim::families;

/// Means over the families: those that the miner was tuned on, and the others.
fn means(seed: u64) -> [f64; 2] {
    [true, false].map(|tuned_on| {
        let all: Vec<f64> = families()
            .filter(|family| family.tuned_on == tuned_on)
            .map(|family| {
                let score = score::score(family, seed);
                let lines: u64 = score.found.list.iter().map(|listed| listed.count).sum();
                assert_eq!(lines, score::LINES as u64, "{}", family.name);
                assert!(score.accuracy >= 0.85, "{}: {} with seed {seed}", family.name, score.accuracy);
                score.accuracy
            })
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    })
}

#[test]
fn lines_of_a_statement_are_one_group() {
    for seed in [1, 11, 111] {
        let [tuned_on, others] = means(seed);
        assert!(tuned_on >= 0.98, "{tuned_on} with seed {seed}");
        assert!(others >= 0.95, "{others} with seed {seed}");
    }
}
