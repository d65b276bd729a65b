//! What people and other programs read: tables on the terminal, JSON in files.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// Prints one line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    // The test harness cannot hold back what is written past its own macros.
    if cfg!(test) {
        return Ok(());
    }
    writeln!(std::io::stdout().lock(), "{text}").context("standard output")
}

/// Prints rows in columns; the first column is aligned left, the others right.
pub(crate) fn table(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes the result to `path`, or prints it where there is none.
pub(crate) fn result(path: Option<&Path>, value: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    match path {
        Some(path) => std::fs::write(path, text).with_context(|| path.display().to_string()),
        None => line(&text),
    }
}

/// The value below which `share` of the sorted `values` lie; 0 for none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        for (values, share, expected) in [
            (&[] as &[f64], 0.5, 0.0),
            (&[3.0], 0.99, 3.0),
            (&[3.0, 1.0, 2.0], 0.5, 2.0),
            (&[4.0, 3.0, 1.0, 2.0], 0.99, 4.0),
        ] {
            assert_eq!(quantile(values, share), expected, "{values:?} {share}");
        }
    }
}
