//! host.json in the forms that the host takes, and the one line that a person reads when it is wrong.

use super::*;

fn check(json: &str, settings: &[(&str, &str)]) -> Result<(Calls, String), String> {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let read = HostJson::read(Some(json), &settings).map_err(|error| error.to_string())?;
    Ok((read.calls, read.prefix))
}

fn ok(calls: Calls, prefix: &str) -> Result<(Calls, String), String> {
    Ok((calls, prefix.to_owned()))
}

#[test]
fn without_a_word_about_it_calls_are_wrapped_and_the_prefix_is_api() {
    for json in ["{}", r#"{"customHandler":{}}"#, "\u{feff}{\"extensions\":{\"http\":{}}}"] {
        assert_eq!(check(json, &[]), ok(Calls::Wrapped, "api"), "{json}");
    }
}

#[test]
fn calls_are_forwarded_where_either_way_of_forwarding_is_on() {
    for json in [
        r#"{"customHandler":{"enableForwardingHttpRequest":true}}"#,
        r#"{"customHandler":{"enableProxyingHttpRequest":true}}"#,
        r#"{"customHandler":{"enableProxyingHttpRequest":true,"enableForwardingHttpRequest":false}}"#,
        r#"{"CustomHandler":{"EnableForwardingHTTPRequest":"True"}}"#,
    ] {
        assert_eq!(check(json, &[]), ok(Calls::Forwarded, "api"), "{json}");
    }
    let off =
        r#"{"customHandler":{"enableForwardingHttpRequest":false,"enableProxyingHttpRequest":"false"}}"#;
    assert_eq!(check(off, &[]), ok(Calls::Wrapped, "api"));
}

#[test]
fn the_prefix_may_be_empty_and_may_have_several_segments() {
    for (written, read) in [
        ("", ""),
        ("/", ""),
        ("site/v1.0", "site/v1.0"),
        ("/a-b/", "a-b"),
        ("~/api", "api"),
        ("My App", "My App"),
        ("a%20b", "a%20b"),
        ("käse+50%,x;y=z&(w)@!$*'", "käse+50%,x;y=z&(w)@!$*'"),
        ("{tenant}/v{version:int}", "{tenant}/v{version:int}"),
        ("a{{b}}", "a{{b}}"),
    ] {
        let json = serde_json::json!({ "extensions": { "http": { "routePrefix": written } } }).to_string();
        assert_eq!(check(&json, &[]), ok(Calls::Wrapped, read), "{written}");
    }
}

#[test]
fn settings_override_the_file() {
    let json = r#"{"customHandler":{"enableForwardingHttpRequest":false},"extensions":{"http":{"routePrefix":"a"}}}"#;
    let forwarding = "AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest";
    let prefix = "AZUREFUNCTIONSJOBHOST__EXTENSIONS__HTTP__ROUTEPREFIX";
    assert_eq!(check(json, &[(forwarding, "true"), (prefix, "")]), ok(Calls::Forwarded, ""));
    assert_eq!(check("{}", &[(prefix, "b")]), ok(Calls::Wrapped, "b"));
    let wrong = check(json, &[(forwarding, "yes")]).unwrap_err();
    assert_eq!(wrong, format!("setting {forwarding} must be true or false"));
}

#[test]
fn a_wrong_file_is_named_with_the_place_in_one_line() {
    for (json, begin) in [
        ("", "host.json is not JSON: "),
        ("{\n\n", "host.json is not JSON: "),
        ("[]", "host.json must be an object"),
        (r#"{"customHandler":[]}"#, "host.json: customHandler must be an object"),
        (r#"{"extensions":null}"#, "host.json: extensions must be an object"),
        (
            r#"{"customHandler":{"enableForwardingHttpRequest":1}}"#,
            "host.json: customHandler.enableForwardingHttpRequest must be true or false",
        ),
        (
            r#"{"customHandler":{"enableForwardingHttpRequest":true,"EnableForwardingHttpRequest":false}}"#,
            "host.json: customHandler.enableForwardingHttpRequest is there twice",
        ),
        (r#"{"configurationProfile":"web-app-custom-handler"}"#, "host.json: configurationProfile is not"),
        (r#"{"httpWorker":{"description":{}}}"#, "host.json: httpWorker is not supported"),
    ] {
        let error = check(json, &[]).unwrap_err();
        assert!(error.starts_with(begin) && !error.contains('\n'), "{json}: {error}");
    }
    for (prefix, problem) in [
        ("a//b", "a segment that is empty"),
        (".", "a segment that is empty or a dot segment"),
        ("a/..", "a segment that is empty or a dot segment"),
        ("{tenant", "a { without its }"),
        ("{a}/{A}", "a parameter twice"),
        ("{*all}", "a parameter that takes everything"),
        ("~api", "a ~ at its begin"),
        ("a?b", "a ? outside a parameter"),
        ("a#b", "a # or a \\"),
        ("a\\b", "a # or a \\"),
    ] {
        let json = serde_json::json!({ "extensions": { "http": { "routePrefix": prefix } } }).to_string();
        let error = check(&json, &[]).unwrap_err();
        let begin = "host.json: extensions.http.routePrefix must be what the host takes for the begin of a route: it holds ";
        assert!(error.strip_prefix(begin).is_some_and(|said| said.starts_with(problem)), "{prefix}: {error}");
    }
    let error = check(r#"{"extensions":{"http":{"routePrefix":["a"]}}}"#, &[]).unwrap_err();
    assert_eq!(error, "host.json: extensions.http.routePrefix must be a text");
}

/// What is served without a host.json is what this repository's one says, and the benches call.
#[test]
fn without_a_file_calls_are_forwarded_as_this_repository_has_them() {
    let read = HostJson::read(None, &BTreeMap::new());
    assert_eq!(read, Ok(HostJson { calls: Calls::Forwarded, prefix: "api".to_owned() }));
}
