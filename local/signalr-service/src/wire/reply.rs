//! REST responses: the service's success codes, which differ from its emulator's, and its error detail with the
//! `x-ms-error-code` header that the SDK reads. Success bodies are empty: callers ignore them.

use super::route::{Api, Operation};
use crate::token::TokenError;
use crate::world::{Member, Subject, Target};
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The operation took effect, or what it asks for exists.
pub(crate) fn done(api: Api, operation: &Operation) -> Response {
    let status = match (api, operation) {
        (_, Operation::Send(_))
        | (Api::V1, Operation::Close(_))
        | (Api::V1, Operation::Join(Member::User(_), _))
        | (Api::V1, Operation::Leave(Member::User(_), _)) => StatusCode::ACCEPTED,
        (Api::Dated, Operation::Close(Target::All | Target::Group(_) | Target::User(_)))
        | (Api::Dated, Operation::Leave(Member::User(_), _))
        | (Api::Dated, Operation::LeaveAll(Member::User(_))) => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    status.into_response()
}

/// The result of a client. `result` is JSON and is passed on as it is.
pub(crate) fn client_result(result: &str) -> Response {
    json_text(format!(r#"{{"result":{result}}}"#))
}

pub(crate) fn json_text(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

/// A client was called but returned no result. The status is the service's own for a timeout. The SDK does not call
/// again after it, because the method may have run.
pub(crate) fn no_client_result(code: &str, message: &str) -> Response {
    refused(StatusCode::INTERNAL_SERVER_ERROR, code, message)
}

/// The subject of the operation does not exist.
pub(crate) fn missing(operation: &Operation) -> Response {
    let code = match operation {
        Operation::Exists(Subject::User(_)) => "Warning.User.NotExisted",
        Operation::Exists(Subject::Group(_)) => "Warning.Group.NotExisted",
        Operation::Exists(Subject::UserInGroup(..)) => "Info.User.NotInGroup",
        Operation::Join(..) | Operation::Leave(..) => "Error.Connection.NotExisted",
        _ => "Warning.Connection.NotExisted",
    };
    let mut response = refused(StatusCode::NOT_FOUND, code, "what the call is about does not exist");
    response.headers_mut().insert("x-ms-error-code", HeaderValue::from_static(code));
    response
}

/// A call that cannot be carried out, with the service's error detail.
pub(crate) fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    let detail = json!({ "code": code, "message": message });
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], detail.to_string()).into_response()
}

pub(crate) fn bad_request(message: &str) -> Response {
    refused(StatusCode::BAD_REQUEST, "BadRequest", message)
}

pub(crate) fn method_not_allowed(allowed: &[Method]) -> Response {
    let list = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let mut response =
        refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", &format!("the path takes {list}"));
    let list = HeaderValue::from_str(&list).expect("method names are header text");
    response.headers_mut().insert(ALLOW, list);
    response
}

/// 401 with a challenge that names the failed check, as the service does for a wrong audience.
pub(crate) fn unauthorized(error: &TokenError) -> Response {
    let challenge = match error {
        TokenError::Missing => format!("Bearer error_description=\"{error}\""),
        _ => format!("Bearer error=\"invalid_token\", error_description=\"{error}\""),
    };
    let mut response = refused(StatusCode::UNAUTHORIZED, "Unauthorized", &error.to_string());
    let challenge = HeaderValue::from_str(&challenge).expect("the descriptions are header text");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}
