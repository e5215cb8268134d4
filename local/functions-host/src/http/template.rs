//! Route templates of `function.json`: literals, `{name}`, `{name?}`, `{name:constraint}` and `{*rest}`.

use std::fmt;

/// A whole route, with its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        constraint: Option<Constraint>,
        presence: Presence,
    },
    /// Matches all remaining segments, or none.
    Rest {
        name: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constraint {
    Int,
    Long,
    Bool,
    Guid,
    Alpha,
}

/// Route parameters in template order.
pub(crate) type Parameters = Vec<(String, Option<String>)>;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let texts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let segments = texts.iter().map(|text| Segment::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let ends = |segment: &Segment| {
            matches!(segment, Segment::Rest { .. } | Segment::Parameter { presence: Presence::Optional, .. })
        };
        let last = segments.len().saturating_sub(1);
        match segments.iter().position(ends) {
            Some(index) if index != last => {
                Err(format!("{} must be the last part of the route", texts[index]))
            }
            _ => Ok(Template(segments)),
        }
    }

    /// Matches decoded path segments; literals match in any case.
    pub(crate) fn matches(&self, path: &[String]) -> Option<Parameters> {
        let mut parameters = Parameters::new();
        let mut rest = path;
        for segment in &self.0 {
            match segment {
                Segment::Literal(literal) => {
                    let (first, tail) = rest.split_first()?;
                    first.eq_ignore_ascii_case(literal).then_some(())?;
                    rest = tail;
                }
                Segment::Parameter { name, constraint, presence } => match rest.split_first() {
                    Some((first, _)) if first.is_empty() => return None,
                    Some((first, tail)) => {
                        constraint.is_none_or(|constraint| constraint.accepts(first)).then_some(())?;
                        parameters.push((name.clone(), Some(first.clone())));
                        rest = tail;
                    }
                    None if *presence == Presence::Optional => parameters.push((name.clone(), None)),
                    None => return None,
                },
                Segment::Rest { name } => {
                    parameters.push((name.clone(), (!rest.is_empty()).then(|| rest.join("/"))));
                    rest = &[];
                }
            }
        }
        rest.is_empty().then_some(parameters)
    }

    /// Orders templates that match the same path, segment by segment: the more specific one is smaller.
    pub(crate) fn precedence(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 1,
            Segment::Parameter { constraint: Some(_), .. } => 2,
            Segment::Parameter { constraint: None, .. } => 3,
            Segment::Rest { .. } => 4,
        };
        self.0.iter().map(rank).collect()
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, String> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(inner) = inner else {
            let literal = !text.contains(['{', '}']);
            return literal
                .then(|| Segment::Literal(text.to_owned()))
                .ok_or_else(|| format!("{text} mixes text and a parameter, which is not supported here"));
        };
        if let Some(name) = inner.strip_prefix('*') {
            return check_name(name.trim_start_matches('*')).map(|name| Segment::Rest { name });
        }
        let (inner, presence) = match inner.strip_suffix('?') {
            Some(inner) => (inner, Presence::Optional),
            None => (inner, Presence::Required),
        };
        let (name, constraint) = match inner.split_once(':') {
            Some((name, constraint)) => (name, Some(Constraint::parse(constraint)?)),
            None => (inner, None),
        };
        Ok(Segment::Parameter { name: check_name(name)?, constraint, presence })
    }
}

fn check_name(name: &str) -> Result<String, String> {
    let plain =
        !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || character == '_');
    if plain { Ok(name.to_owned()) } else { Err(format!("{name:?} is not a parameter name")) }
}

impl Constraint {
    fn parse(text: &str) -> Result<Constraint, String> {
        match text.to_ascii_lowercase().as_str() {
            "int" => Ok(Constraint::Int),
            "long" => Ok(Constraint::Long),
            "bool" => Ok(Constraint::Bool),
            "guid" => Ok(Constraint::Guid),
            "alpha" => Ok(Constraint::Alpha),
            _ => Err(format!(
                "the constraint {text:?} is not supported here (int, long, bool, guid and alpha are)"
            )),
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Constraint::Int => text.parse::<i32>().is_ok(),
            Constraint::Long => text.parse::<i64>().is_ok(),
            Constraint::Bool => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
            Constraint::Guid => {
                let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
                digits == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
            }
            Constraint::Alpha => text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.0 {
            match segment {
                Segment::Literal(text) => write!(formatter, "/{text}")?,
                Segment::Parameter { name, presence: Presence::Optional, .. } => {
                    write!(formatter, "/{{{name}?}}")?
                }
                Segment::Parameter { name, .. } => write!(formatter, "/{{{name}}}")?,
                Segment::Rest { name } => write!(formatter, "/{{*{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> Option<Vec<String>> {
        let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let parameters = Template::parse(template).unwrap().matches(&path)?;
        Some(
            parameters
                .into_iter()
                .map(|(name, value)| format!("{name}={}", value.unwrap_or("-".into())))
                .collect(),
        )
    }

    #[test]
    fn parameters_are_taken_from_their_places() {
        assert_eq!(matches("api/devices/{id}", "/API/Devices/dev-1"), Some(vec!["id=dev-1".to_owned()]));
        assert_eq!(matches("api/devices/{id}", "/api/devices"), None);
        assert_eq!(matches("api/devices/{id?}", "/api/devices"), Some(vec!["id=-".to_owned()]));
        assert_eq!(matches("api/devices/{id}", "/api/devices/a/b"), None);
        assert_eq!(matches("files/{*path}", "/files/a/b"), Some(vec!["path=a/b".to_owned()]));
        assert_eq!(matches("files/{*path}", "/files"), Some(vec!["path=-".to_owned()]));
        assert_eq!(matches("/", "/"), Some(vec![]));
    }

    #[test]
    fn a_constraint_decides_whether_a_segment_matches() {
        assert!(matches("n/{id:int}", "/n/-5").is_some());
        assert!(matches("n/{id:int}", "/n/x").is_none());
        assert!(matches("n/{id:guid}", "/n/7c1e6e0a-2a4d-4f57-9c0e-2a8f5f6f0a11").is_some());
        assert!(matches("n/{id:alpha?}", "/n/a1").is_none());
    }

    #[test]
    fn the_more_specific_template_comes_first() {
        let mut templates = ["d/{*rest}", "d/{id}", "d/all", "d/{id:int}"];
        templates.sort_by_key(|text| Template::parse(text).unwrap().precedence());
        assert_eq!(templates, ["d/all", "d/{id:int}", "d/{id}", "d/{*rest}"]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for template in ["{id", "a{id}", "{id:range(1,2)}", "{a?}/b", "{*a}/b", "{}", "{id=5}"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }
}
