//! Names under which the loss ledger counts what a policy drops.

/// What else the ledger gives as the reason why records were dropped, rejected or refused.
const TAKEN: &[&str] = &[
    "malformed",
    "unsupported",
    "conflict",
    "too_large",
    "unknown_tenant",
    "busy",
    "unavailable",
    "connection_closed",
    "queue_full",
    "incomplete",
    "stopping",
    "failed",
    "secrets",
];

/// Longest name, in characters.
const LONGEST: usize = 64;

/// The name of a `what`, if it can be one; the fault and a hint otherwise.
pub(super) fn checked(text: &str, what: &str) -> Result<String, (String, Option<String>)> {
    let is_plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-".contains(char);
    if text.is_empty() || text.len() > LONGEST || !text.chars().all(is_plain) {
        let hint = format!("1 to {LONGEST} characters, a–z, 0–9, `-` or `_`");
        return Err((format!("`{text}` is no name of a {what}"), Some(hint)));
    }
    if TAKEN.contains(&text) {
        return Err((format!("the name `{text}` means something else in the loss ledger"), None));
    }
    Ok(text.to_owned())
}
