//! Wrong arguments give one line of error; help is formatted.

use crate::program;

#[test]
fn a_wrong_argument_is_answered_in_one_line() {
    for arguments in [
        &["up", "--port", "70000"][..],
        &["up", "--storage", "floppy"],
        &["up", "--bogus"],
        &["send"],
        &["reshard"],
        &["reshard", "--to", "0"],
        &["reshard", "--to", "101"],
        &["launch"],
        &["fuzz", "--input", "x"],
        &["fuzz", "everything"],
        &["up", "--release", "--handler", "x"],
    ] {
        let ended = program::run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("cargo dev --help"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn help_names_every_command() {
    let ended = program::run(&["--help"]);
    assert_eq!(ended.code, Some(0));
    for command in ["up", "send", "test", "package", "reshard", "bench", "simulate", "fuzz", "doctor"] {
        assert!(ended.stdout.contains(&format!("\n  {command} ")), "{}", ended.stdout);
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let ended = program::run(&[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("Usage: cargo dev"), "{}", ended.stderr);
}
