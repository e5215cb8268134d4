//! Refusals as HTTP responses of IoT Hub's form: status, `iothub-errorcode` header, and a JSON body with `Message` and
//! `ExceptionMessage` (seen in issues of the Azure IoT SDKs).

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use crate::refusal::Refusal;

/// A refusal as a response.
#[derive(Debug)]
pub(super) struct ErrorResponse(Refusal);

impl<R: Into<Refusal>> From<R> for ErrorResponse {
    fn from(refusal: R) -> Self {
        ErrorResponse(refusal.into())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    message: String,
    exception_message: String,
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let (status, code) = status_and_code(&self.0);
        let body = Body {
            message: format!("ErrorCode:{code};{}", self.0),
            exception_message: tracking_id(Timestamp::now()),
        };
        let json = serde_json::to_vec(&body).expect("two strings become JSON");
        let headers = [(CONTENT_TYPE, "application/json; charset=utf-8")];
        let mut response = (status, headers, [("iothub-errorcode", code)], json).into_response();
        if let Refusal::Throttled { seconds } = self.0 {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The names are those of Microsoft docs, "Understand and resolve Azure IoT Hub errors" and `IotHubServiceErrorCode`.
fn status_and_code(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::Version(_) => (StatusCode::BAD_REQUEST, "InvalidProtocolVersion"),
        Refusal::Argument(_) => (StatusCode::BAD_REQUEST, "ArgumentInvalid"),
        Refusal::Format(_) => (StatusCode::BAD_REQUEST, "IotHubFormatError"),
        Refusal::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "IotHubUnauthorizedAccess"),
        Refusal::ForeignHost => (StatusCode::FORBIDDEN, "Forbidden"),
        Refusal::UnknownDevice(_) => (StatusCode::NOT_FOUND, "DeviceNotFound"),
        Refusal::NoRoute(_) | Refusal::NoPartition(_) => (StatusCode::NOT_FOUND, "ResourceNotFound"),
        Refusal::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "InvalidOperation"),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "MessageTooLarge"),
        Refusal::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException"),
        Refusal::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        Refusal::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServerError"),
        Refusal::Injected(status) => (*status, "InjectedFault"),
    }
}

/// A tracking id of IoT Hub's form; its hexadecimal part is a counter here.
fn tracking_id(now: Timestamp) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("Tracking ID:{count:032x}-G:0-TimeStamp:{}", now.strftime("%m/%d/%Y %H:%M:%S"))
}
