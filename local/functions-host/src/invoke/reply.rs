//! Judges a handler's reply in default mode (azure-functions-host, `DefaultHttpWorkerService`,
//! `HttpScriptInvocationResult`).

use axum::http::{HeaderValue, StatusCode};

use crate::{envelope::json::Json, failure::Failure};

/// A reply in the expected form.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) outputs: Vec<(String, Json)>,
    pub(crate) logs: Vec<String>,
    pub(crate) return_value: Json,
}

/// The result of a reply.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Success(Reply),
    Failed(Failure),
    /// A 2xx reply without a value: the host waits for ever, or until the time-out ends it.
    NeverCompletes,
}

pub(crate) fn judge(status: StatusCode, content_type: Option<&HeaderValue>, body: &[u8]) -> Verdict {
    if !status.is_success() {
        return Verdict::Failed(Failure::Status(status));
    }
    if body.is_empty() {
        return Verdict::NeverCompletes;
    }
    if !is_json(content_type) {
        return bad("its content type is not application/json");
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Verdict::NeverCompletes;
    }
    match serde_json::from_slice(body) {
        Ok(Json::Null) => Verdict::NeverCompletes,
        Ok(Json::Object(members)) => read_members(members),
        Ok(_) => bad("it is not a JSON object"),
        Err(error) => bad(&format!("not JSON at line {} column {}", error.line(), error.column())),
    }
}

fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json") || media_type.eq_ignore_ascii_case("text/json")
}

/// The three member names match in any case; unknown members are ignored.
fn read_members(members: Vec<(String, Json)>) -> Verdict {
    let mut reply = Reply { outputs: Vec::new(), logs: Vec::new(), return_value: Json::Null };
    for (name, value) in members {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("outputs" | "logs", Json::Null) => {}
            ("outputs", Json::Object(outputs)) => reply.outputs = outputs,
            ("outputs", _) => return bad("Outputs is not an object"),
            ("logs", Json::Array(entries)) => match texts(entries) {
                Some(logs) => reply.logs = logs,
                None => return bad("Logs holds something else than texts"),
            },
            ("logs", _) => return bad("Logs is not an array"),
            ("returnvalue", value) => reply.return_value = value,
            _ => {}
        }
    }
    Verdict::Success(reply)
}

fn texts(entries: Vec<Json>) -> Option<Vec<String>> {
    let text = |entry| {
        if let Json::Text(text) = entry { Some(text) } else { None }
    };
    entries.into_iter().map(text).collect()
}

fn bad(problem: &str) -> Verdict {
    Verdict::Failed(Failure::BadReply(problem.to_owned()))
}

impl Reply {
    /// The value of a declared output. Without a `$return` binding the members of an object `ReturnValue`
    /// count as outputs too.
    pub(crate) fn output(&self, name: &str) -> Option<&Json> {
        let member = |members: &'_ [(String, Json)]| members.iter().position(|(key, _)| key == name);
        if name == "$return" {
            return Some(&self.return_value).filter(|value| **value != Json::Null);
        }
        if let Json::Object(members) = &self.return_value
            && let Some(index) = member(members)
        {
            return Some(&members[index].1);
        }
        member(&self.outputs).map(|index| &self.outputs[index].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

    fn verdict(status: u16, content_type: Option<&'static str>, body: &str) -> Verdict {
        let content_type = content_type.map(HeaderValue::from_static);
        judge(StatusCode::from_u16(status).unwrap(), content_type.as_ref(), body.as_bytes())
    }

    #[test]
    fn any_json_object_of_a_2xx_reply_is_success() {
        for (status, body) in
            [(200, "{}"), (201, r#"{"Outputs":{},"Logs":null,"ReturnValue":null}"#), (299, r#"{"x":1}"#)]
        {
            assert!(matches!(verdict(status, Some("application/json"), body), Verdict::Success(_)), "{body}");
        }
        assert!(matches!(verdict(200, Some("text/json"), "{}"), Verdict::Success(_)));
    }

    #[test]
    fn a_reply_without_a_value_never_completes() {
        for (status, content_type, body) in [
            (204, None, ""),
            (200, None, ""),
            (200, Some("text/plain"), ""),
            (200, Some("application/json"), "null"),
            (200, Some("application/json"), " \n"),
        ] {
            assert_eq!(verdict(status, content_type, body), Verdict::NeverCompletes, "{status} {body:?}");
        }
    }

    #[test]
    fn every_other_status_fails_whatever_the_body() {
        for status in [301, 400, 404, 500, 503] {
            let expected = Verdict::Failed(Failure::Status(StatusCode::from_u16(status).unwrap()));
            assert_eq!(verdict(status, Some("application/json"), "{}"), expected);
            assert_eq!(verdict(status, None, ""), expected);
        }
    }

    #[test]
    fn another_type_or_shape_fails() {
        for (content_type, body) in [
            (None, "{}"),
            (Some("text/plain"), "{}"),
            (Some("text/plain"), "null"),
            (Some("application/json"), "{"),
            (Some("application/json"), "[]"),
            (Some("application/json"), "5"),
            (Some("application/json"), r#"{"Logs":"x"}"#),
            (Some("application/json"), r#"{"Logs":[1]}"#),
            (Some("application/json"), r#"{"Outputs":[]}"#),
        ] {
            let verdict = verdict(200, content_type, body);
            assert!(matches!(verdict, Verdict::Failed(Failure::BadReply(_))), "{content_type:?} {body}");
        }
    }

    #[test]
    fn outputs_are_found_by_exact_name_and_members_in_any_case() {
        let body = br#"{"OUTPUTS":{"res":1},"logs":["a"],"returnValue":{"other":2}}"#;
        let Verdict::Success(reply) = judge(StatusCode::OK, Some(&JSON), body) else {
            panic!("a success was expected")
        };
        assert_eq!(reply.output("res"), Some(&Json::Integer(1)));
        assert_eq!(reply.output("Res"), None);
        assert_eq!(reply.output("other"), Some(&Json::Integer(2)));
        assert_eq!(reply.output("$return"), Some(&reply.return_value));
        assert_eq!(reply.logs, ["a"]);
    }
}
