//! A spelling: where in a reading a field is found, as the catalogue writes it, and how its raw number is converted. Pure.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// The most members that one path leads through. Every step into a nested value reads its bytes once more.
const DEEPEST: usize = 8;

/// A linear conversion: value = raw × scale + offset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// Factor.
    #[serde(default = "one")]
    pub scale: f64,
    /// What is added after that.
    #[serde(default)]
    pub offset: f64,
}

fn one() -> f64 {
    1.0
}

impl Conversion {
    /// Changes nothing.
    pub(super) const NONE: Conversion = Conversion { scale: 1.0, offset: 0.0 };

    /// The converted value. Exact where there is nothing to convert.
    pub fn apply(self, raw: f64) -> f64 {
        raw * self.scale + self.offset
    }

    /// What is wrong with it.
    pub(super) fn problem(self) -> Option<String> {
        let usable = self.scale.is_finite() && self.scale != 0.0 && self.offset.is_finite();
        (!usable).then(|| "scale must be a finite number other than 0, and offset a finite number".to_owned())
    }
}

/// One spelling of a measurement. In JSON a text, or `{"path","scale","offset"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Spelling {
    /// A member's name, a dotted path or a JSON pointer.
    pub path: String,
    /// What values under this spelling are converted by; absent: they are in the measurement's unit, or say theirs.
    pub conversion: Option<Conversion>,
}

impl<'de> Deserialize<'de> for Spelling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spelling, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Path(String),
            Converted(serde_json::Map<String, serde_json::Value>),
        }
        let mut members = match Written::deserialize(deserializer)
            .map_err(|_| D::Error::custom(r#"a spelling is a text or {"path","scale","offset"}"#))?
        {
            Written::Path(path) => return Ok(Spelling { path, conversion: None }),
            Written::Converted(members) => members,
        };
        let Some(serde_json::Value::String(path)) = members.remove("path") else {
            return Err(D::Error::custom("a spelling with a conversion needs a path"));
        };
        let conversion = match members.is_empty() {
            true => None,
            false => Some(serde_json::from_value(members.into()).map_err(D::Error::custom)?),
        };
        Ok(Spelling { path, conversion })
    }
}

/// A path as the steps it consists of.
#[derive(Debug, PartialEq)]
pub(super) enum Steps {
    /// A member of the reading, or of what a wrapper holds.
    Member(String),
    /// Members in members, from the reading or from what a wrapper holds. A member with the path as its name is meant first.
    Dotted(Vec<String>),
    /// Members in members, from the reading itself.
    Pointer(Vec<String>),
}

/// Reads a path. `/` begins a pointer (RFC 6901); a dot between two names makes a dotted path.
pub(super) fn steps(path: &str) -> Result<Steps, String> {
    if path.is_empty() {
        return Err("a path is empty".to_owned());
    }
    let steps = match path.strip_prefix('/') {
        Some(rest) => {
            let unescaped = rest.split('/').map(unescaped).collect::<Option<Vec<_>>>();
            Steps::Pointer(unescaped.ok_or_else(|| {
                format!("{path:?} is no JSON pointer: ~ has to be followed by 0 (for ~) or 1 (for /)")
            })?)
        }
        None if path.contains('.') && path.split('.').all(|name| !name.is_empty()) => {
            Steps::Dotted(path.split('.').map(str::to_owned).collect())
        }
        None => Steps::Member(path.to_owned()),
    };
    match &steps {
        Steps::Dotted(names) | Steps::Pointer(names) if names.len() > DEEPEST => {
            Err(format!("{path:?} leads through {} members, at most {DEEPEST} are followed", names.len()))
        }
        _ => Ok(steps),
    }
}

fn unescaped(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        text.push(match (c, c == '~') {
            (_, true) => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            (c, false) => c,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_name_a_dotted_path_or_a_pointer() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (path, expected) in [
            ("temperature", Steps::Member("temperature".to_owned())),
            ("ambient.temperature", Steps::Dotted(names(&["ambient", "temperature"]))),
            ("/ambient/temperature", Steps::Pointer(names(&["ambient", "temperature"]))),
            ("/a~1b/~0c/0", Steps::Pointer(names(&["a/b", "~c", "0"]))),
            ("/a.b", Steps::Pointer(names(&["a.b"]))),
            ("no.", Steps::Member("no.".to_owned())),
            ("a..b", Steps::Member("a..b".to_owned())),
        ] {
            assert_eq!(steps(path), Ok(expected), "{path}");
        }
        for broken in ["", "/a~", "/a~2b", "a.b.c.d.e.f.g.h.i", "/1/2/3/4/5/6/7/8/9"] {
            assert!(steps(broken).is_err(), "{broken}");
        }
    }
}
