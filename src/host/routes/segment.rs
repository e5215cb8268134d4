//! One segment of a route template as ASP.NET Core reads it: text with parameters in braces (`v{version:int}`), compared
//! without regard to case and to percent-encoding. Pure.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A piece of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// What has to be there.
    Text(String),
    /// At least one character. The host has checked its constraints, and forwards nothing that does not keep them.
    Parameter {
        /// Without constraints, default and `?`.
        name: String,
    },
}

/// Reads a segment of a template. The error says what is wrong with it, in words that follow "it holds".
pub(crate) fn parse(template: &str) -> Result<Vec<Piece>, &'static str> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        let doubled = rest.as_str().starts_with(c);
        match c {
            '{' | '}' if doubled => text.extend(rest.next()),
            '}' => return Err("a } without its {"),
            '?' => return Err("a ? outside a parameter"),
            '#' | '\\' => return Err("a # or a \\, which the host cannot forward"),
            '{' => {
                let after_parameter = matches!(pieces.last(), Some(Piece::Parameter { .. }));
                if text.is_empty() && after_parameter {
                    return Err("two parameters without text between them");
                }
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                let (inside, behind) = parameter(rest.as_str())?;
                pieces.push(Piece::Parameter { name: name(inside)?.to_owned() });
                rest = behind.chars();
            }
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// What is inside the braces, of which the first has been read, and what follows them. Doubled braces are part of a
/// constraint.
fn parameter(text: &str) -> Result<(&str, &str), &'static str> {
    let mut at = 0;
    while let Some(next) = text[at..].find(['{', '}']).map(|next| at + next) {
        let brace = &text[next..=next];
        match (text[next + 1..].starts_with(brace), brace) {
            (true, _) => at = next + 2,
            (false, "}") => return Ok((&text[..next], &text[next + 1..])),
            (false, _) => return Err("a { inside a parameter"),
        }
    }
    Err("a { without its }")
}

fn name(inside: &str) -> Result<&str, &'static str> {
    let name = inside.split([':', '=', '?']).next().unwrap_or_default();
    match name {
        "" => Err("a parameter without a name"),
        _ if name.starts_with('*') => Err("a parameter that takes everything, which may only come last"),
        _ if name.contains(['{', '}', '*']) => Err("a parameter whose name has { } or *"),
        _ => Ok(name),
    }
}

/// Whether a segment of an address, as it was sent, is one of this template. A template that cannot be read takes nothing.
pub(crate) fn takes(template: &str, sent: &str) -> bool {
    let Some(sent) = decoded(sent) else { return false };
    if template.contains(['{', '}']) {
        return parse(template).is_ok_and(|pieces| take_pieces(&pieces, &sent));
    }
    // The host decodes an address before it compares and forwards it, so that a template with a percent sign meets
    // here what it met there, or what that decodes to.
    are_same(template, &sent)
        || template.contains('%') && decoded(template).is_some_and(|template| are_same(&template, &sent))
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

/// A parameter ends at the first place where the next text stands: when any end of it leads on, that one does.
fn take_pieces(pieces: &[Piece], sent: &str) -> bool {
    let folded = fold(sent);
    let (mut rest, mut after_parameter) = (folded.as_str(), false);
    for (index, piece) in pieces.iter().enumerate() {
        let Piece::Text(text) = piece else {
            after_parameter = true;
            continue;
        };
        let text = fold(text);
        let is_last = index + 1 == pieces.len();
        let Some(least) = after_parameter.then(|| rest.chars().next().map_or(0, char::len_utf8)) else {
            let Some(behind) = rest.strip_prefix(&text) else { return false };
            rest = behind;
            continue;
        };
        if least == 0 {
            return false;
        }
        let open = &rest[least..];
        if is_last {
            return open.ends_with(&text);
        }
        let Some(at) = open.find(&text) else { return false };
        (rest, after_parameter) = (&open[at + text.len()..], false);
    }
    after_parameter != rest.is_empty()
}

/// Equal without regard to case, character by character, as the host compares.
fn are_same(one: &str, other: &str) -> bool {
    one.chars().map(upper).eq(other.chars().map(upper))
}

fn fold(text: &str) -> String {
    text.chars().map(upper).collect()
}

/// The capital of a character that has one of a single character. No letter outside ASCII is the same as one of ASCII.
fn upper(c: char) -> char {
    let mut capitals = c.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) if capital.is_ascii() == c.is_ascii() => capital,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_the_same_in_any_case_and_encoding() {
        for (template, sent) in [
            ("api", "API"),
            ("api", "%41p%69"),
            ("api", "%61PI"),
            ("my app", "My%20App"),
            ("a+b,c;d=e&f@g!", "A+b%2Cc;d%3de&F@g%21"),
            ("Käse", "k%C3%84se"),
            ("Käse", "KäSE"),
            ("50%", "50%25"),
            ("50%", "50%"),
            ("a%20b", "a%20B"),
            ("a%20b", "a%2520b"),
            ("{{x}}", "%7BX%7D"),
        ] {
            assert!(takes(template, sent), "{template} {sent}");
        }
        for (template, sent) in [
            ("api", ""),
            ("api", "ap"),
            ("api", "apis"),
            ("api", "api%2F"),
            ("api", "api%00"),
            ("api", "%2561pi"),
            ("api", "api%ff"),
            ("straße", "STRASSE"),
            ("kiss", "ki%C5%BF%C5%BF"),
            ("{x", "{x"),
        ] {
            assert!(!takes(template, sent), "{template} {sent}");
        }
    }

    #[test]
    fn a_parameter_is_at_least_one_character() {
        for (template, sent) in [
            ("{tenant}", "anything%2Fat%20all"),
            ("v{version:int}", "V12"),
            ("{a}-{b}", "x--"),
            ("{a=1}", "7"),
            ("{year:regex(^\\d{{4}}$)}", "2026"),
            ("a{x}b{y}c", "AxxbBbC"),
            ("{a}ü", "äÜ"),
        ] {
            assert!(takes(template, sent), "{template} {sent}");
        }
        for (template, sent) in [
            ("{tenant}", ""),
            ("v{version}", "v"),
            ("{a}-{b}", "x-"),
            ("{a}-{b}", "-y"),
            ("a{x}b{y}c", "axbc"),
        ] {
            assert!(!takes(template, sent), "{template} {sent}");
        }
    }

    #[test]
    fn what_the_host_refuses_is_refused_in_words() {
        for (template, problem) in [
            ("a?", "a ? outside a parameter"),
            ("a#b", "a # or a \\, which the host cannot forward"),
            ("a\\b", "a # or a \\, which the host cannot forward"),
            ("{a", "a { without its }"),
            ("a}", "a } without its {"),
            ("{a{b}", "a { inside a parameter"),
            ("{}", "a parameter without a name"),
            ("{a}{b}", "two parameters without text between them"),
            ("{*all}", "a parameter that takes everything, which may only come last"),
            ("{a*}", "a parameter whose name has { } or *"),
        ] {
            assert_eq!(parse(template), Err(problem), "{template}");
        }
    }

    proptest! {
        /// Filled in with whatever the parameters may be, a template takes what it makes.
        #[test]
        fn a_template_takes_what_is_made_of_it(
            pieces in proptest::collection::vec(("[a-cA-CäÖ]{1,3}", "[a-cA-CäÖ%]{1,4}"), 1..4),
        ) {
            let template: String = (0..).zip(&pieces).map(|(n, (text, _))| format!("{text}{{p{n}}}")).collect();
            let sent: String = pieces.iter().map(|(text, value)| format!("{text}{value}")).collect();
            let sent = percent_encoding::utf8_percent_encode(&sent, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert!(takes(&template, &sent));
            prop_assert!(takes(&template, &sent.to_lowercase()));
        }

        #[test]
        fn any_template_and_any_address_are_compared(template in any::<String>(), sent in any::<String>()) {
            takes(&template, &sent);
            takes(&format!("{{{template}}}{sent}"), &sent);
        }
    }
}
