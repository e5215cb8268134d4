//! Route templates of function.json: literal segments, then parameters (`subscriptions/{group?}`, `areas/{area?}/{id?}`).
//! The only place that compares addresses with them. Pure.
//!
//! Addresses are compared as the host compares them, since it forwards what it took for the route: the case of letters,
//! slashes at the end and percent-encoding do not matter. Dots, encoded slashes and double slashes are not resolved.

use percent_encoding::percent_decode_str;

pub(crate) mod segment;

/// What an address says for the parameters of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// By name, as they were sent; those that the address ends before are missing.
    values: Vec<(&'static str, String)>,
    /// Whether the address goes on behind the last one.
    has_more: bool,
}

/// Why a parameter cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterError {
    /// The address has more segments than the route has parameters: somebody wrote `/` and meant `%2F`.
    TooManySegments,
    /// The percent-encoded bytes are not UTF-8.
    NotUtf8,
}

impl Parameters {
    /// A parameter, percent-decoded; `None` where the address ends before it.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, ParameterError> {
        if self.has_more {
            return Err(ParameterError::TooManySegments);
        }
        let Some((_, sent)) = self.values.iter().find(|(known, _)| *known == name) else { return Ok(None) };
        let decoded = percent_decode_str(sent).decode_utf8().map_err(|_| ParameterError::NotUtf8)?;
        Ok(Some(decoded.into_owned()))
    }
}

/// What the path of an address says for a route's parameters; `None` where the prefix or a literal segment differs. Too
/// few or too many segments behind the literals are left to the function, which knows what to say about them.
pub(crate) fn read(prefix: &str, route: &'static str, path: &str) -> Option<Parameters> {
    let path = path.strip_prefix('/')?.trim_end_matches('/');
    // Split, the empty path would be one empty segment.
    let mut sent = path.split('/').skip(usize::from(path.is_empty()));
    let mut parameters = Parameters::default();
    let mut has_parameters = false;
    for template in segments(prefix) {
        sent.next().filter(|sent| segment::takes(template, sent))?;
    }
    for template in segments(route) {
        match parameter(template) {
            Some(name) => {
                has_parameters = true;
                parameters.values.extend(sent.next().map(|value| (name, value.to_owned())));
            }
            None => drop(sent.next().filter(|sent| segment::takes(template, sent))?),
        }
    }
    parameters.has_more = sent.next().is_some();
    (has_parameters || !parameters.has_more).then_some(parameters)
}

/// The address of a route, as people are told it.
pub(crate) fn address(prefix: &str, route: &str) -> String {
    segments(prefix).chain(segments(route)).flat_map(|segment| ["/", segment]).collect()
}

fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').filter(|segment| !segment.is_empty())
}

/// The name in `{name}` or `{name?}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    let inner = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(inner.strip_suffix('?').unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREAS: &str = "areas/{area?}/{operation?}/{id?}";

    /// The values of a route's parameters in an address, with `/` between them, or the error of reading them.
    fn check(prefix: &str, route: &'static str, path: &str) -> Option<Result<String, ParameterError>> {
        let parameters = read(prefix, route, path)?;
        let names = segments(route).filter_map(parameter);
        let values: Result<Vec<_>, _> = names.map(|name| parameters.get(name)).collect();
        Some(values.map(|values| values.into_iter().flatten().collect::<Vec<_>>().join("/")))
    }

    fn value(text: &str) -> Option<Result<String, ParameterError>> {
        Some(Ok(text.to_owned()))
    }

    #[test]
    fn a_literal_route_is_one_address() {
        for path in
            ["/api/negotiate", "/API/Negotiate", "/api/negotiate/", "/api/negotiate//", "/%61pi/%6Eegotiate"]
        {
            assert_eq!(check("api", "negotiate", path), value(""), "{path}");
        }
        for path in [
            "",
            "/",
            "/api",
            "/api/",
            "/negotiate",
            "/api/negotiate/x",
            "//api/negotiate",
            "/api//negotiate",
            "/api/./negotiate",
            "/api/x/../negotiate",
            "/api%2Fnegotiate",
            "/api/negotiate%2F",
            "/api\\negotiate",
            "/api%5Cnegotiate",
            "/api/%256Eegotiate",
            "api/negotiate",
        ] {
            assert_eq!(check("api", "negotiate", path), None, "{path}");
        }
    }

    #[test]
    fn a_prefix_may_be_empty_or_have_several_segments() {
        assert_eq!(check("", "negotiate", "/negotiate"), value(""));
        assert_eq!(check("", "negotiate", "/api/negotiate"), None);
        assert_eq!(check("site/v1", "areas/{area?}", "/site/v1/areas/Perth"), value("Perth"));
        for path in
            ["/areas/Perth", "/v1/areas/Perth", "/site/areas/Perth", "/site/v1", "/site%2Fv1/areas/Perth"]
        {
            assert_eq!(check("site/v1", "areas/{area?}", path), None, "{path}");
        }
        assert_eq!(check("{tenant}/v{n:int}", "areas/{area?}", "/Rig%204/V2/areas/Perth"), value("Perth"));
        assert_eq!(check("{tenant}/v{n:int}", "areas/{area?}", "//v2/areas/Perth"), None);
    }

    #[test]
    fn a_parameter_is_one_segment_percent_encoded() {
        let group = |path| check("api", "subscriptions/{group?}", path);
        assert_eq!(group("/api/subscriptions/geo:Sydney"), value("geo:Sydney"));
        assert_eq!(group("/api/subscriptions/geo%3AN%2FS%20%C3%BC"), value("geo:N/S ü"));
        assert_eq!(group("/api/subscriptions/device:a+b%25"), value("device:a+b%"));
        assert_eq!(group("/api/subscriptions/..%2Fnegotiate"), value("../negotiate"));
        assert_eq!(group("/api/subscriptions"), value(""));
        assert_eq!(group("/api/subscriptions/"), value(""));
        assert_eq!(group("/API/Subscriptions/geo:Sydney/"), value("geo:Sydney"));
        assert_eq!(group("/api/subscriptions/geo:%ff"), Some(Err(ParameterError::NotUtf8)));
        for path in ["/api/subscriptions/geo:a/b", "/api/subscriptions/../all", "/api/subscriptions//all"] {
            assert_eq!(group(path), Some(Err(ParameterError::TooManySegments)), "{path}");
        }
    }

    #[test]
    fn an_address_may_end_before_an_optional_parameter() {
        assert_eq!(check("api", AREAS, "/api/areas"), value(""));
        assert_eq!(check("api", AREAS, "/api/areas/Perth"), value("Perth"));
        assert_eq!(check("api", AREAS, "/api/areas/Perth/limits/7"), value("Perth/limits/7"));
        let beyond = check("api", AREAS, "/api/areas/Perth/limits/7/8");
        assert_eq!(beyond, Some(Err(ParameterError::TooManySegments)));
    }

    #[test]
    fn people_are_told_the_template() {
        assert_eq!(address("api", "subscriptions/{group?}"), "/api/subscriptions/{group?}");
        assert_eq!(address("", "negotiate"), "/negotiate");
        assert_eq!(address("site/v1", "negotiate"), "/site/v1/negotiate");
    }
}
