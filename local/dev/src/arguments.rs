//! Errors in the arguments: one line instead of clap's block of text.

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::text;

/// Prints help and version as clap formats them. Anything else is one line and exit code 2.
pub(crate) fn refused(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(error, ExitCode::SUCCESS),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => print(error, ExitCode::from(2)),
        _ => {
            eprintln!("{}", line(&error.render().to_string()));
            ExitCode::from(2)
        }
    }
}

fn print(error: &clap::Error, code: ExitCode) -> ExitCode {
    match error.print() {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Keeps clap's first paragraph, which is the error, and the last line, which mentions the help. Leaves out usage and
/// tips.
fn line(rendered: &str) -> String {
    let complaint: Vec<&str> = rendered.lines().take_while(|line| !line.trim().is_empty()).collect();
    let complaint = text::flat(&complaint.join(" "));
    format!("{}; `cargo dev --help` lists what there is", complaint.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_becomes_one_line() {
        let block = "error: the following required arguments were not provided:\n  --device <ID>\n  <BODY>\n\nUsage: x\n";
        assert_eq!(
            line(block),
            "the following required arguments were not provided: --device <ID> <BODY>; \
             `cargo dev --help` lists what there is"
        );
    }
}
