//! Production code has few calls of `expect`. Each states an invariant, and most code can be written so that the
//! compiler checks it instead.

use std::fmt::Write;

use super::repository::{files, read, relative};
use super::tokens::{Token, tokens, without_tests};

/// What the deployed binary is made of.
const PRODUCTION: [&str; 3] = ["crates/signalr/src", "crates/tables/src", "src"];

/// Fewer than this many calls of `expect` in a thousand lines, tests aside.
const LIMIT: usize = 2;

#[test]
fn production_code_expects_little() {
    for folder in PRODUCTION {
        let (mut lines, mut places) = (0, String::new());
        let mut count = 0;
        for path in files(folder, ".rs").iter().filter(|path| !path.ends_with("tests.rs")) {
            let text = read(path);
            let (code, test_lines) = without_tests(tokens(&text));
            lines += text.lines().count() - test_lines;
            for line in expects(&code) {
                count += 1;
                writeln!(places, "  {}:{line}", relative(path)).unwrap();
            }
        }
        let found = format!("{folder}: {count} calls of expect in {lines} lines:\n{places}");
        println!("{found}");
        assert!(count * 1000 < LIMIT * lines, "not under {LIMIT} in a thousand: {found}");
    }
}

/// The lines with a call of `expect`.
fn expects(tokens: &[Token<'_>]) -> impl Iterator<Item = usize> {
    let is_call = |window: &&[Token<'_>]| window.iter().map(|token| token.text).eq([".", "expect", "("]);
    tokens.windows(3).filter(is_call).map(|window| window[0].line)
}

#[test]
fn calls_in_tests_and_in_comments_do_not_count() {
    let text = "// a.expect(b)\nfn c() {\n    d\n        .expect(\"e\")\n}\n#[expect(f)]\n#[cfg(test)]\nmod g { h.expect(i) }";
    let (code, _) = without_tests(tokens(text));
    assert_eq!(expects(&code).collect::<Vec<_>>(), [4]);
}
