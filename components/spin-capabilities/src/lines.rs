//! Lines of a call, bounded in length and count.

use septet_core::{contract::Origin, limits::Limits, text::clean};

/// What may still be written, and what was.
#[derive(Debug)]
pub(crate) struct Lines {
    longest: u64,
    left: u64,
    bytes_left: u64,
    written: u64,
    dropped: u64,
}

impl Lines {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            longest: limits.log_line_bytes,
            left: limits.log_lines,
            bytes_left: limits.log_bytes,
            written: 0,
            dropped: 0,
        }
    }

    /// Lines written, and lines dropped.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.written, self.dropped)
    }

    /// The line to be shown, or none where the call has written its share. One line is one line,
    /// whatever a component writes.
    pub(crate) fn take(
        &mut self,
        level: &str,
        (component, origin): (&str, &Origin),
        message: &str,
    ) -> Option<String> {
        let message = clean(message, self.longest);
        let bytes = message.len() as u64;
        let whose = |level: &str, message: &str| {
            let Origin { run, unit, attempt } = origin;
            format!("{level} {component} run={run} unit={unit} attempt={attempt}: {message}")
        };
        if self.left == 0 || bytes > self.bytes_left {
            self.dropped += 1;
            let first = self.dropped == 1;
            return first.then(|| whose("warn", "further log lines are dropped"));
        }
        self.left -= 1;
        self.bytes_left -= bytes;
        self.written += 1;
        Some(whose(level, &message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_dropped_and_that_is_said_once() {
        let limits = Limits {
            log_lines: 1,
            ..Limits::default()
        };
        let mut lines = Lines::new(&limits);
        let origin = Origin {
            run: "r".to_owned(),
            unit: 2,
            attempt: 3,
        };
        let mut take = |text: &str| lines.take("info", ("train", &origin), text);
        let first = take("a\nb").unwrap();
        assert_eq!(first, "info train run=r unit=2 attempt=3: a b");
        assert!(take("c").unwrap().ends_with("lines are dropped"));
        assert_eq!(take("d"), None);
        assert_eq!(lines.counts(), (1, 2));
    }
}
