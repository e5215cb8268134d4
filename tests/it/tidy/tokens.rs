//! Rust source text as tokens: without comments, with one token per string, and with a way to leave out code for
//! tests.

use std::ops::Range;

/// A word, a string with its quotes, `::`, or a single punctuation character, and the line it starts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
}

impl Token<'_> {
    /// Whether this is an identifier or a keyword.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }

    /// The content of a plain string literal.
    pub(super) fn as_string(&self) -> Option<&str> {
        self.text.strip_prefix('"')?.strip_suffix('"')
    }
}

/// The tokens of a whole file.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(next) = text[at..].chars().next() {
        let length = match comment(&text[at..]) {
            Some(length) => length,
            None if next.is_whitespace() => next.len_utf8(),
            None => {
                let length = token(&text[at..]);
                tokens.push(Token { text: &text[at..at + length], line });
                length
            }
        };
        line += text[at..at + length].matches('\n').count();
        at += length;
    }
    tokens
}

/// The length of the comment that the text starts with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        at += match rest {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the token that the text starts with.
fn token(text: &str) -> usize {
    let bytes = text.as_bytes();
    if let Some(length) = string(text) {
        return length;
    }
    match bytes[0] {
        b':' if bytes.get(1) == Some(&b':') => 2,
        b'\'' => quote(text),
        _ if text.starts_with("r#") => 2 + word(&text[2..]),
        _ => word(text).max(text.chars().next().map_or(1, char::len_utf8)),
    }
}

fn word(text: &str) -> usize {
    text.find(|c: char| !is_word_start(c) && !c.is_ascii_digit()).unwrap_or(text.len())
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// The length of a string literal in any of its forms (`"`, `b"`, `c"`, `r"`, `r#"` and so on).
fn string(text: &str) -> Option<usize> {
    let after_kind = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let after_raw = after_kind.strip_prefix('r').unwrap_or(after_kind);
    let is_raw = after_raw.len() < after_kind.len();
    let hashes = if is_raw { after_raw.len() - after_raw.trim_start_matches('#').len() } else { 0 };
    let open = text.len() - after_raw.len() + hashes;
    let body = after_raw[hashes..].strip_prefix('"')?;
    let close = match is_raw {
        true => {
            let end = format!("\"{}", &"#".repeat(hashes));
            body.find(&end)? + end.len()
        }
        false => unescaped(body, b'"')? + 1,
    };
    Some(open + 1 + close)
}

/// Where the first `end` is that no backslash escapes.
fn unescaped(text: &str, end: u8) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == end && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })
}

/// The length of a character literal or of a lifetime.
fn quote(text: &str) -> usize {
    let rest = &text[1..];
    let first = rest.chars().next().map_or(0, char::len_utf8);
    match rest.starts_with('\\') || rest[first..].starts_with('\'') {
        true => 2 + unescaped(rest, b'\'').unwrap_or(rest.len() - 1),
        false => 1 + word(rest),
    }
}

/// The tokens without items under `#[cfg(test)]`, and the number of lines of those items.
pub(super) fn without_tests(tokens: Vec<Token<'_>>) -> (Vec<Token<'_>>, usize) {
    let (mut kept, mut lines, mut at) = (Vec::with_capacity(tokens.len()), 0, 0);
    while at < tokens.len() {
        match test_item(&tokens, at) {
            Some(item) => {
                lines += tokens[item.end - 1].line - tokens[item.start].line + 1;
                at = item.end;
            }
            None => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    (kept, lines)
}

/// The item under a `#[cfg(test)]` at `at`, with all of its attributes from there on.
fn test_item(tokens: &[Token<'_>], at: usize) -> Option<Range<usize>> {
    let texts = |from: usize| tokens[from..].iter().map(|token| token.text);
    if !texts(at).take(7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
        return None;
    }
    let mut body = at;
    while texts(body).take(2).eq(["#", "["]) {
        body = closing(tokens, body + 1) + 1;
    }
    Some(at..item_end(tokens, body))
}

/// The index after the item that starts at `at`: after its semicolon, or after its block.
fn item_end(tokens: &[Token<'_>], at: usize) -> usize {
    let mut index = at;
    if tokens[index].text == "pub" {
        index += 1;
        if tokens[index].text == "(" {
            index = closing(tokens, index) + 1;
        }
    }
    let ends_at_block = !matches!(tokens[index].text, "const" | "static" | "type" | "use")
        || tokens.get(index + 1).is_some_and(|token| token.text == "fn");
    while index < tokens.len() {
        match tokens[index].text {
            ";" => return index + 1,
            "{" if ends_at_block => return closing(tokens, index) + 1,
            "{" | "(" | "[" => index = closing(tokens, index) + 1,
            _ => index += 1,
        }
    }
    index
}

/// The index of the bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

#[test]
fn comments_are_no_tokens_and_strings_are_one() {
    let text = r##"a /* b /* c */ d */ "e \" // f" // g
        r#"h "i" "# b"j" 'k' '\'' &'l m::n r#type 1.5 'é'"##;
    let found: Vec<&str> = tokens(text).iter().map(|token| token.text).collect();
    let expected = [
        "a",
        r#""e \" // f""#,
        r##"r#"h "i" "#"##,
        r#"b"j""#,
        "'k'",
        r"'\''",
        "&",
        "'l",
        "m",
        "::",
        "n",
        "r#type",
        "1",
        ".",
        "5",
        "'é'",
    ];
    assert_eq!(found, expected);
    assert_eq!(tokens(text).last().map(|token| token.line), Some(2));
}

#[test]
fn items_for_tests_are_cut_out() {
    let text = "fn a() {}
        #[cfg(test)]
        use b::{c, d};
        #[cfg(test)]
        #[expect(x)]
        mod e {
            use super::*;
            fn f() {}
        }
        #[cfg(test)]
        pub(crate) const I: J = J { k: 1 };
        #[cfg(test)]
        mod g;
        fn h() {}";
    let (kept, lines) = without_tests(tokens(text));
    let kept: Vec<&str> = kept.iter().map(|token| token.text).collect();
    assert_eq!(kept.join(" "), "fn a ( ) { } fn h ( ) { }");
    assert_eq!(lines, 2 + 6 + 2 + 2);
}
