//! `cargo dev doctor` reports what is installed and how to get the rest.

use crate::program;

#[test]
fn each_thing_has_one_line() {
    let ended = program::run(&["doctor"]);
    for what in
        ["cargo", "node", "npm", "chromium", "port 7071", "port 8888", "port 7072", "data", "functions app"]
    {
        let lines = ended.stdout.lines().filter(|line| line.contains(&format!(" {what} "))).count();
        assert_eq!(lines, 1, "{what}: {}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn what_is_missing_is_told_with_its_remedy() {
    let nothing = tempfile::tempdir().expect("a temporary folder");
    let mut command = program::command(&["doctor"]);
    command.env("PATH", nothing.path());
    let ended = program::finish(command);
    assert_eq!(ended.code, Some(1));
    let node = ended.stdout.lines().find(|line| line.contains(" node ")).expect("a line");
    assert!(node.starts_with("fix ") && node.contains("nodejs.org"), "{node}");
}
