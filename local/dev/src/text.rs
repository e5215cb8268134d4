//! Text for the terminal: one line per problem, and readable sizes and numbers.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints a line to standard output like `println!`, but does not panic when that is closed: without a reader a stack
/// must still stop in order.
macro_rules! say {
    ($($words:tt)*) => { $crate::text::print(format_args!($($words)*)) };
}
pub(crate) use say;

/// See [`say!`].
pub(crate) fn print(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{words}");
}

/// The error and its causes as one line.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let words = flat(&cause.to_string());
        if line.contains(&words) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words);
    }
    line
}

/// `text` with each run of white space and line ends replaced by one space.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A size in decimal megabytes, the unit of budgets and storage limits.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_on_one_line() {
        let error = anyhow::anyhow!("port 1 is\n  taken").context("the hub did not start").context("up");
        assert_eq!(one_line(&error), "up: the hub did not start: port 1 is taken");
        let repeated = anyhow::anyhow!("taken").context("port 1 is taken");
        assert_eq!(one_line(&repeated), "port 1 is taken");
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(megabytes(12_000_000), "12.0 MB");
        assert_eq!(megabytes(7_049_999), "7.0 MB");
    }
}
