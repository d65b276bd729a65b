//! OpenTelemetry severity numbers 1 to 24 and the words senders use for them.

/// A `SeverityNumber` (OpenTelemetry log data model, "Severity Fields"): 0 is unspecified, then four steps each for
/// trace (1), debug (5), info (9), warn (13), error (17) and fatal (21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

impl Severity {
    /// Not given and not derivable.
    pub const UNSPECIFIED: Self = Self(0);
    /// `TRACE`.
    pub const TRACE: Self = Self(1);
    /// `DEBUG`.
    pub const DEBUG: Self = Self(5);
    /// `INFO`.
    pub const INFO: Self = Self(9);
    /// `INFO2`, syslog's "notice".
    pub const NOTICE: Self = Self(10);
    /// `WARN`.
    pub const WARN: Self = Self(13);
    /// `ERROR`.
    pub const ERROR: Self = Self(17);
    /// `ERROR2`, syslog's "critical".
    pub const CRITICAL: Self = Self(18);
    /// `FATAL`.
    pub const FATAL: Self = Self(21);

    /// The number as sent; anything outside 0 to 24 is unspecified.
    pub fn from_number(number: i64) -> Self {
        u8::try_from(number).ok().filter(|number| *number <= 24).map_or(Self::UNSPECIFIED, Self)
    }

    /// 0 to 24.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The severity a word stands for, whatever its case: `warn`, `WARNING`, `W`, `err`, `notice`, `panic`, …
    pub fn from_text(text: &str) -> Self {
        const WORDS: &[(&str, Severity)] = &[
            ("info", Severity::INFO),
            ("error", Severity::ERROR),
            ("warn", Severity::WARN),
            ("warning", Severity::WARN),
            ("debug", Severity::DEBUG),
            ("trace", Severity::TRACE),
            ("information", Severity::INFO),
            ("informational", Severity::INFO),
            ("notice", Severity::NOTICE),
            ("err", Severity::ERROR),
            ("severe", Severity::ERROR),
            ("critical", Severity::CRITICAL),
            ("crit", Severity::CRITICAL),
            ("alert", Severity(19)),
            ("fatal", Severity::FATAL),
            ("panic", Severity::FATAL),
            ("emerg", Severity::FATAL),
            ("emergency", Severity::FATAL),
            ("verbose", Severity::TRACE),
            ("fine", Severity::DEBUG),
            ("i", Severity::INFO),
            ("e", Severity::ERROR),
            ("w", Severity::WARN),
            ("d", Severity::DEBUG),
            ("t", Severity::TRACE),
            ("f", Severity::FATAL),
        ];
        let text = text.trim();
        if let Some((_, severity)) = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return *severity;
        }
        Self::from_otel_short_name(text)
    }

    /// `INFO2`, `ERROR4` and so on.
    fn from_otel_short_name(text: &str) -> Self {
        let Some(step @ b'1'..=b'4') = text.bytes().last() else { return Self::UNSPECIFIED };
        let base = match text.get(..text.len() - 1).map(str::to_ascii_lowercase).as_deref() {
            Some("trace") => 1,
            Some("debug") => 5,
            Some("info") => 9,
            Some("warn") => 13,
            Some("error") => 17,
            Some("fatal") => 21,
            _ => return Self::UNSPECIFIED,
        };
        Self(base + step - b'1')
    }

    /// The family as users search for it: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, or `unspecified`.
    pub fn name(self) -> &'static str {
        match self.0 {
            1..=4 => "trace",
            5..=8 => "debug",
            9..=12 => "info",
            13..=16 => "warn",
            17..=20 => "error",
            21..=24 => "fatal",
            _ => "unspecified",
        }
    }

    /// From a syslog severity, 0 (emergency) to 7 (debug): OpenTelemetry's mapping in its appendix B.
    pub fn from_syslog(severity: u8) -> Self {
        match severity {
            0 => Self::FATAL,
            1 => Self(19),
            2 => Self::CRITICAL,
            3 => Self::ERROR,
            4 => Self::WARN,
            5 => Self::NOTICE,
            6 => Self::INFO,
            7 => Self::DEBUG,
            _ => Self::UNSPECIFIED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        for (text, number) in [("WARNING", 13), ("err", 17), ("Info2", 10), ("notice", 10), ("", 0), ("ERROR5", 0)] {
            assert_eq!(Severity::from_text(text).number(), number, "{text}");
        }
        assert_eq!(Severity::from_number(25), Severity::UNSPECIFIED);
        assert_eq!(Severity::from_number(-1), Severity::UNSPECIFIED);
        assert_eq!(Severity::from_text("éé1"), Severity::UNSPECIFIED);
        assert_eq!(Severity::from_number(18).name(), "error");
    }
}
