//! JSON as Json.NET writes it: members in order, its number format and its escapes.
//!
//! `serde_json::Value` sorts members, so it could not reproduce the host's bytes.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::dates;

/// A JSON value that keeps the order of its members; for repeated names the last value counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The deepest document that Json.NET 13 accepts by default.
const MAX_DEPTH: usize = 64;

impl Json {
    pub(crate) fn text(text: &str) -> Json {
        Json::Text(text.to_owned())
    }

    pub(crate) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Parses a body as the host's binding does, which recognises dates in texts and reformats them. The error says
    /// where the text is not JSON, without any of its content.
    pub(crate) fn parse_body(text: &str) -> Result<Json, String> {
        if text.trim().is_empty() {
            return Ok(Json::Null);
        }
        let value: Json = serde_json::from_str(text)
            .map_err(|error| format!("not JSON at line {} column {}", error.line(), error.column()))?;
        if value.depth() > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        Ok(value.with_dates_respelled())
    }

    fn depth(&self) -> usize {
        match self {
            Json::Array(items) => 1 + items.iter().map(Json::depth).max().unwrap_or(0),
            Json::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn with_dates_respelled(self) -> Json {
        match self {
            Json::Text(text) => Json::Text(dates::DotnetDate::parse(&text).map_or(text, |date| date.iso())),
            Json::Array(items) => Json::Array(items.into_iter().map(Json::with_dates_respelled).collect()),
            Json::Object(members) => {
                let respell = |(name, value): (String, Json)| (name, value.with_dates_respelled());
                Json::Object(members.into_iter().map(respell).collect())
            }
            other => other,
        }
    }

    /// What .NET's `ToString` gives for a scalar.
    pub(crate) fn dotnet_text(&self) -> String {
        match self {
            Json::Text(text) => {
                dates::DotnetDate::parse(text).map_or_else(|| text.clone(), |date| date.general())
            }
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            Json::Float(number) => dotnet_float(*number),
            other => other.to_text(),
        }
    }

    /// Compact JSON text.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Layout::Compact);
        out
    }

    /// Indented JSON text, two spaces a level.
    pub(crate) fn to_indented_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Layout::Indented(0));
        out
    }

    fn write(&self, out: &mut String, layout: Layout) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Json::Integer(number) => out.push_str(&number.to_string()),
            Json::Float(number) => write_float(*number, out),
            Json::Text(text) => write_text(text, out),
            Json::Array(items) => write_list(out, ['[', ']'], layout, items, |item, out, layout| {
                item.write(out, layout);
            }),
            Json::Object(members) => {
                write_list(out, ['{', '}'], layout, members, |(name, value), out, layout| {
                    write_text(name, out);
                    out.push_str(if matches!(layout, Layout::Compact) { ":" } else { ": " });
                    value.write(out, layout);
                })
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Layout {
    Compact,
    Indented(usize),
}

impl Layout {
    fn deeper(self) -> Layout {
        match self {
            Layout::Compact => Layout::Compact,
            Layout::Indented(level) => Layout::Indented(level + 1),
        }
    }

    fn break_line(self, out: &mut String) {
        if let Layout::Indented(level) = self {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        }
    }
}

fn write_list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    layout: Layout,
    items: &[T],
    write_item: impl Fn(&T, &mut String, Layout),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        layout.deeper().break_line(out);
        write_item(item, out, layout.deeper());
    }
    if !items.is_empty() {
        layout.break_line(out);
    }
    out.push(close);
}

/// Json.NET's default escapes: control characters, quote, backslash and the three line ends beyond ASCII.
///
/// Batches of megabytes are escaped twice, so plain runs are found byte by byte and copied at once.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if !MAY_NEED_ESCAPE[usize::from(*byte)] {
            continue;
        }
        let Some(character) = text[index..].chars().next() else { break };
        if needs_escape(character) {
            out.push_str(&text[written..index]);
            write_escape(character, out);
            written = index + character.len_utf8();
        }
    }
    out.push_str(&text[written..]);
    out.push('"');
}

/// First bytes of the characters that [`needs_escape`]; none of them occurs inside another character.
const MAY_NEED_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0xc2] = true;
    table[0xe2] = true;
    table
};

fn needs_escape(character: char) -> bool {
    matches!(character, '\0'..='\x1f' | '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn write_escape(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        other => out.push_str(&format!("\\u{:04x}", u32::from(other))),
    }
}

/// A float always has a decimal point or an exponent: `22.0`.
fn write_float(number: f64, out: &mut String) {
    let text = dotnet_float(number);
    out.push_str(&text);
    if !text.contains(['.', 'E']) {
        out.push_str(".0");
    }
}

/// .NET's shortest round-trip format: plain from 1E-05 (excluded) to 1E+15 (excluded), scientific beyond.
fn dotnet_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return format!("{number}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", exponent.unsigned_abs())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        while let Some((name, value)) = access.next_entry::<String, Json>()? {
            match known.get(&name) {
                Some(index) => members[*index].1 = value,
                None => {
                    known.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        Json::parse_body(text).unwrap().to_text()
    }

    #[test]
    fn numbers_are_spelled_as_dotnet_spells_them() {
        assert_eq!(rewritten("[21.50,22,22.0,-0.5,1e5]"), "[21.5,22,22.0,-0.5,100000.0]");
        assert_eq!(
            rewritten("[1e20,1e15,123456789012345.5,0.0001,0.00001]"),
            "[1E+20,1E+15,123456789012345.5,0.0001,1E-05]"
        );
        assert_eq!(rewritten("18446744073709551615"), "18446744073709551615");
    }

    #[test]
    fn dates_in_texts_are_respelled_and_other_texts_kept() {
        assert_eq!(
            rewritten(r#"["2024-11-21T00:57:11.120Z","2024-11-21","x"]"#),
            r#"["2024-11-21T00:57:11.12Z","2024-11-21","x"]"#
        );
    }

    #[test]
    fn members_keep_their_order_and_the_last_of_two_names_counts() {
        assert_eq!(rewritten(r#"{"b":1,"a":2,"b":3}"#), r#"{"b":3,"a":2}"#);
    }

    #[test]
    fn only_what_json_net_escapes_is_escaped() {
        let text = "\u{0}\u{1f}\u{7f}\"\\/\n\t\u{85}\u{2028}\u{2029}é漢";
        assert_eq!(
            Json::text(text).to_text(),
            "\"\\u0000\\u001f\u{7f}\\\"\\\\/\\n\\t\\u0085\\u2028\\u2029é漢\""
        );
    }

    #[test]
    fn an_empty_body_is_null_and_a_deep_or_broken_one_is_refused() {
        assert_eq!(Json::parse_body(" "), Ok(Json::Null));
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse_body(&deep(64)).is_ok());
        assert!(Json::parse_body(&deep(65)).is_err());
        assert_eq!(Json::parse_body("{\"secret\"x"), Err("not JSON at line 1 column 10".to_owned()));
    }

    #[test]
    fn an_indented_text_has_two_spaces_a_level() {
        let value =
            Json::object([("a", Json::Array(vec![Json::Integer(1)])), ("b", Json::Object(Vec::new()))]);
        assert_eq!(value.to_indented_text(), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
    }
}
