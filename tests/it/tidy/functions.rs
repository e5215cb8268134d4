//! Every function fits on a screen.

use super::repository::{SOURCES, files, read, relative};
use super::tokens::{Token, closing, tokens};

/// The longest function, from its name to its last bracket, in lines.
const LONGEST: usize = 70;

#[test]
fn no_function_is_longer_than_a_screen() {
    let mut long = Vec::new();
    for folder in SOURCES {
        for path in files(folder, ".rs") {
            for (name, line, length) in functions(&tokens(&read(&path))) {
                if length > LONGEST {
                    long.push(format!("{}:{line} {name}: {length} lines", relative(&path)));
                }
            }
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST} lines:\n{}", long.join("\n"));
}

/// Every function with a body: name, first line, and how many lines it takes.
fn functions<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize, usize)> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text == "fn"
            && pair[1].is_word()
            && let Some(end) = body_end(tokens, at)
        {
            found.push((pair[1].text, pair[0].line, tokens[end].line - pair[0].line + 1));
        }
    }
    found
}

/// The bracket that closes the body of the function whose signature starts at `at`; `None` for one without a body.
fn body_end(tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
    loop {
        match tokens.get(at)?.text {
            ";" => return None,
            "{" => return Some(closing(tokens, at)),
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_bracket() {
    let text = "trait A {\n    fn without(a: [u8; 3]);\n    fn with(f: fn(u8)) -> u8\n    {\n        { 1 }\n    }\n}\nfn b() {}";
    assert_eq!(functions(&tokens(text)), [("with", 3, 4), ("b", 8, 1)]);
}
