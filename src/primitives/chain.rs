//! An error with its causes, as one line for the log.

use std::error::Error;

/// The error and what caused it, from the outermost to the innermost. `Display` of our errors never repeats a cause.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
