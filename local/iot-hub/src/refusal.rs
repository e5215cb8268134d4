//! Why the hub refuses a request, independent of the transport: HTTP answers with a status, an MQTT listener would
//! close the connection.

use axum::http::{Method, StatusCode};
use jiff::Timestamp;

use crate::config::MESSAGE_SIZE_LIMIT;
use crate::sas::NotAToken;

/// A refused request. The text is for the developer of the device and never holds a key or a signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Version(String),
    #[error("{0}")]
    Argument(String),
    #[error("{0}")]
    Format(String),
    #[error("{0}")]
    Unauthorized(#[from] Unauthorized),
    #[error("the Host header names another machine: call the hub by 127.0.0.1, localhost or [::1]")]
    ForeignHost,
    #[error("the hub has no device '{0}'")]
    UnknownDevice(String),
    #[error("there is nothing at {0}: devices post to /devices/{{id}}/messages/events")]
    NoRoute(String),
    #[error("there is no partition '{0}'")]
    NoPartition(String),
    #[error("{0} does not work here")]
    Method(Method),
    #[error("a message or a batch has {MESSAGE_SIZE_LIMIT} bytes at most, values of properties included")]
    TooLarge,
    #[error("too many requests: try again in {seconds} s")]
    Throttled { seconds: u64 },
    #[error("{0}")]
    Unavailable(&'static str),
    #[error("{0}")]
    Internal(String),
    #[error("this failure was asked for with Faults")]
    Injected(StatusCode),
}

/// Why a token is not valid for this device's endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unauthorized {
    #[error("no Authorization header: send 'SharedAccessSignature sr=…&sig=…&se=…'")]
    NoToken,
    #[error("{0}")]
    NotAToken(#[from] NotAToken),
    #[error(
        "the token expired at {at:.0} and the hub's clock says {now:.0}: make a new one, or set the clock"
    )]
    Expired { at: Timestamp, now: Timestamp },
    #[error("the token's sr names the host '{named}', this hub is '{own}'")]
    OtherHost { named: String, own: String },
    #[error("the token's sr names the device '{named}', the request is for '{device}'")]
    OtherDevice { named: String, device: String },
    #[error("the token's sr names another part of the hub than the endpoint of '{device}'")]
    Elsewhere { device: String },
    #[error("the token's sr names no device: that needs a policy's key and its name in skn")]
    HubWide,
    #[error("the hub has no policy '{named}', its policy is '{own}'")]
    UnknownPolicy { named: String, own: String },
    #[error("the hub has no device '{0}' whose key could have signed the token")]
    UnknownDevice(String),
    #[error(
        "the signature does not match: check the key of {signer}, that it was base64-decoded before signing, and that \
         sr and se were signed exactly as they stand in the token"
    )]
    Signature { signer: String },
}
