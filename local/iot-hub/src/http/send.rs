//! The device side: telemetry in, and cloud-to-device messages, of which there are never any.

use std::sync::Arc;

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;

use crate::config::MESSAGE_SIZE_LIMIT;
use crate::http::error_response::ErrorResponse;
use crate::http::gateway::Gateway;
use crate::http::{batch, headers, query};
use crate::identity::{DeviceId, Scope, Sender};
use crate::refusal::Refusal;

type DevicePath = Result<Path<String>, PathRejection>;

/// `POST /devices/{id}/messages/events`: answers 204 when the events are stored.
pub(super) async fn send(
    State(gateway): State<Arc<Gateway>>,
    path: DevicePath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ErrorResponse> {
    expect_version(query.as_deref())?;
    let sender = admit(&gateway, path, &headers, &["messages", "events"])?;
    store(&gateway, &sender, &headers, body).await
}

/// `POST /devices/{id}/modules/{module}/messages/events`: as above, for a module. This hub keeps no modules, so a module
/// signs with its device's key.
pub(super) async fn send_of_module(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ErrorResponse> {
    expect_version(query.as_deref())?;
    let Path((device, name)) = path.map_err(|e| Refusal::Argument(e.body_text()))?;
    let wrong = |problem: String| Refusal::Argument(format!("module '{name}': {problem}"));
    let module = DeviceId::parse(&name).map_err(wrong)?;
    let mut sender =
        admit(&gateway, Ok(Path(device)), &headers, &["modules", module.as_str(), "messages", "events"])?;
    if sender.scope == Scope::Device {
        sender.scope = Scope::Module;
    }
    sender.module = Some(module);
    store(&gateway, &sender, &headers, body).await
}

async fn store(
    gateway: &Gateway,
    sender: &Sender,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ErrorResponse> {
    let body = within_limit(body)?;
    let messages = match batch::is_batch(headers) {
        true => batch::messages(&body)?,
        false => vec![headers::message(headers, body)?],
    };
    gateway.intake.accept(sender, &messages).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /devices/{id}/messages/devicebound`: this hub has no cloud-to-device messages.
pub(super) async fn receive(
    State(gateway): State<Arc<Gateway>>,
    path: DevicePath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, ErrorResponse> {
    expect_version(query.as_deref())?;
    admit(&gateway, path, &headers, &["messages", "devicebound"])?;
    Ok(StatusCode::NO_CONTENT)
}

/// Service versions in Microsoft's REST specifications and in the device SDKs.
const VERSIONS: [&str; 19] = [
    "2015-08-15-preview",
    "2016-02-03",
    "2016-11-14",
    "2017-06-30",
    "2017-11-08-preview",
    "2018-01-16",
    "2018-03-01-preview",
    "2018-04-01",
    "2018-06-30",
    "2018-08-30-preview",
    "2019-03-30",
    "2019-07-01-preview",
    "2019-10-01",
    "2020-03-01",
    "2020-03-13",
    "2020-05-31-preview",
    "2020-09-30",
    "2021-04-12",
    "2025-08-01-preview",
];

fn expect_version(query: Option<&str>) -> Result<(), Refusal> {
    match query::value(query, "api-version") {
        Some(version) if VERSIONS.contains(&version.as_str()) => Ok(()),
        Some(version) => Err(Refusal::Version(format!("unknown api-version '{version}': try 2021-04-12"))),
        None => Err(Refusal::Version("the query needs an api-version, such as 2021-04-12".to_owned())),
    }
}

fn admit(
    gateway: &Gateway,
    path: DevicePath,
    headers: &HeaderMap,
    endpoint: &[&str],
) -> Result<Sender, Refusal> {
    let Path(device) = path.map_err(|e| Refusal::Argument(e.body_text()))?;
    let device = DeviceId::parse(&device).map_err(Refusal::Argument)?;
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    gateway.authenticator.admit(token, device, endpoint, Timestamp::now())
}

/// The limit counts the bytes on the wire, for a single message and for a whole batch alike: the device SDKs keep their
/// encoded batches below it as well.
fn within_limit(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    match body {
        Ok(body) if body.len() > MESSAGE_SIZE_LIMIT => Err(Refusal::TooLarge),
        Ok(body) => Ok(body),
        Err(e) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::Format("the body could not be read to its end".to_owned())),
    }
}
