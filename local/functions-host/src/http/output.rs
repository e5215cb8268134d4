//! The `http` output of a function that is not forwarded
//! (azure-functions-host, `HttpOutputBindingResponse`, `RawScriptResult`).

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};

use crate::{envelope::json::Json, invoke::reply::Reply};

/// Builds the client's response; the error says what is wrong with the output.
pub(super) fn to_response(binding: Option<&str>, reply: &Reply) -> Result<Response<Body>, String> {
    let Some(binding) = binding else {
        return Ok(super::status(StatusCode::NO_CONTENT));
    };
    match reply.output(binding) {
        None | Some(Json::Null) => Ok(with_body("{}".to_owned(), "application/json; charset=utf-8")),
        Some(Json::Object(members)) => build(members),
        Some(_) => Err(format!("the output {binding} is not an object")),
    }
}

fn build(members: &[(String, Json)]) -> Result<Response<Body>, String> {
    let member = |name: &str| {
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .filter(|value| **value != Json::Null)
    };
    let mut response = match member("body") {
        None => Response::new(Body::empty()),
        Some(Json::Text(text)) => with_body(text.clone(), "text/plain; charset=utf-8"),
        Some(other) => with_body(other.to_indented_text(), "application/json; charset=utf-8"),
    };
    *response.status_mut() = status_code(member("statusCode"))?;
    match member("headers") {
        None => {}
        Some(Json::Object(headers)) => add_headers(&mut response, headers)?,
        Some(_) => return Err("headers is not an object".to_owned()),
    }
    Ok(response)
}

/// The number, or the number in a text. Anything else means 200.
fn status_code(value: Option<&Json>) -> Result<StatusCode, String> {
    let code = match value {
        Some(Json::Integer(code)) => u16::try_from(*code).ok(),
        Some(Json::Text(text)) => match text.trim().parse() {
            Ok(code) => Some(code),
            Err(_) => return Ok(StatusCode::OK),
        },
        _ => return Ok(StatusCode::OK),
    };
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    code.ok_or_else(|| "statusCode is not an HTTP status".to_owned())
}

fn add_headers(response: &mut Response<Body>, headers: &[(String, Json)]) -> Result<(), String> {
    for (name, value) in headers {
        let bad = || format!("the header {name:?} is not a header with a single value");
        let text = match value {
            Json::Text(text) => text.clone(),
            Json::Null | Json::Array(_) | Json::Object(_) => return Err(bad()),
            scalar => scalar.dotnet_text(),
        };
        let name: HeaderName = name.parse().map_err(|_| bad())?;
        let value: HeaderValue = text.parse().map_err(|_| bad())?;
        // The server writes the length itself.
        if name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(())
}

fn with_body(text: String, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond(res: &str) -> Result<(u16, String), String> {
        let output: Json = serde_json::from_str(res).unwrap();
        let reply =
            Reply { outputs: vec![("res".to_owned(), output)], logs: Vec::new(), return_value: Json::Null };
        to_response(Some("res"), &reply).map(|response| {
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
            (response.status().as_u16(), content_type.unwrap_or_default())
        })
    }

    #[test]
    fn the_status_is_read_from_status_code_alone() {
        assert_eq!(respond(r#"{"statusCode":201}"#).unwrap().0, 201);
        assert_eq!(respond(r#"{"statusCode":"404"}"#).unwrap().0, 404);
        assert_eq!(respond(r#"{"status":404}"#).unwrap().0, 200);
        assert_eq!(respond(r#"{"statusCode":"bad"}"#).unwrap().0, 200);
        assert!(respond(r#"{"statusCode":99999}"#).is_err());
    }

    #[test]
    fn the_body_decides_the_type_unless_a_header_does() {
        assert_eq!(respond(r#"{"body":"x"}"#).unwrap().1, "text/plain; charset=utf-8");
        assert_eq!(respond(r#"{"body":{"a":1}}"#).unwrap().1, "application/json; charset=utf-8");
        assert_eq!(respond(r#"{"body":"x","headers":{"Content-Type":"text/html"}}"#).unwrap().1, "text/html");
    }

    #[test]
    fn a_bad_shape_is_an_error() {
        for res in [
            r#""text""#,
            "[]",
            r#"{"headers":[]}"#,
            r#"{"headers":{"a":["b"]}}"#,
            r#"{"headers":{"a b":"c"}}"#,
        ] {
            assert!(respond(res).is_err(), "{res}");
        }
    }
}
