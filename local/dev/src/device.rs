//! One device's side of IoT Hub's HTTPS endpoint (Microsoft: REST "Device - Send Device Event").

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use reqwest::{Client, StatusCode, header};
use serde::Deserialize;

use crate::{connection_string::ConnectionString, sas, text};

/// The newest version of the REST interface that is not a preview.
const API_VERSION: &str = "2020-03-13";
/// The lifetime of a token; the device SDKs use one hour.
const TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);
/// A hub answers within moments, so after this long the connection is dead.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Device {
    http: Client,
    connection: ConnectionString,
    id: String,
}

/// Why a reading was not accepted.
pub(crate) enum Refusal {
    /// The hub answered with this status and this text.
    Answered { status: StatusCode, words: String, wait: Option<Duration> },
    /// There was no answer.
    Unreachable(reqwest::Error),
}

impl Refusal {
    /// Whether the same reading may be accepted when it is sent again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Refusal::Answered { status, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS
                    || *status == StatusCode::REQUEST_TIMEOUT
                    || status.is_server_error()
            }
            Refusal::Unreachable(_) => true,
        }
    }
}

impl Device {
    pub(crate) fn new(http: Client, connection: ConnectionString, id: String) -> Device {
        Device { http, connection, id }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sends one message with a new token. Returns the status if the hub accepted it.
    pub(crate) async fn send(&self, body: Vec<u8>, now: SystemTime) -> Result<StatusCode, Refusal> {
        let path = format!("devices/{}", sas::encoded(&self.id));
        let address =
            format!("{}/{path}/messages/events?api-version={API_VERSION}", self.connection.address());
        let request = self.http.post(address).header(header::AUTHORIZATION, self.token(&path, now));
        // Without these two headers the hub's routing queries treat the body as bytes.
        let request = request
            .header("iothub-contenttype", "application/json")
            .header("iothub-contentencoding", "utf-8");
        let answer = request.body(body).send().await.map_err(Refusal::Unreachable)?;
        if answer.status().is_success() {
            return Ok(answer.status());
        }
        Err(refusal(answer).await)
    }

    fn token(&self, path: &str, now: SystemTime) -> String {
        let resource = format!("{}/{path}", self.connection.host);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expiry = (now + TOKEN_LIFE).as_secs();
        sas::token(&resource, &self.connection.key, self.connection.policy.as_deref(), expiry)
    }
}

async fn refusal(answer: reqwest::Response) -> Refusal {
    let status = answer.status();
    let after = answer.headers().get(header::RETRY_AFTER);
    let wait = after.and_then(|seconds| seconds.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = answer.text().await.unwrap_or_default();
    Refusal::Answered { status, words: hub_words(&body), wait }
}

/// The text of an error. The hub has it as `Message` in JSON; a proxy in between answers with a page of its own.
fn hub_words(body: &str) -> String {
    #[derive(Deserialize)]
    struct Wrapped {
        #[serde(alias = "message")]
        #[serde(rename = "Message")]
        message: String,
    }
    const MOST: usize = 300;
    let words =
        serde_json::from_str::<Wrapped>(body).map_or_else(|_| body.to_owned(), |wrapped| wrapped.message);
    text::flat(&words).chars().take(MOST).collect()
}

/// An HTTP client that trusts only the public certificate authorities.
pub(crate) fn http_client() -> Result<Client> {
    let authorities = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version is available")?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(TIMEOUT)
        .build()
        .context("no HTTP client can be built")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    #[tokio::test]
    async fn an_https_address_is_spoken_to_in_tls() -> Result<()> {
        const HANDSHAKE: u8 = 0x16;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("https://{}/", listener.local_addr()?);
        let request =
            tokio::spawn(async move { http_client()?.get(address).send().await.context("refused") });
        let (mut socket, _) = listener.accept().await?;
        let mut first = [0];
        socket.read_exact(&mut first).await?;
        drop(socket);
        assert_eq!(first[0], HANDSHAKE);
        assert!(request.await?.is_err());
        Ok(())
    }

    #[test]
    fn the_hubs_sentence_is_unwrapped() {
        assert_eq!(
            hub_words(r#"{"Message":"ErrorCode:X;\r\nunknown","ExceptionMessage":"t"}"#),
            "ErrorCode:X; unknown"
        );
        assert_eq!(hub_words("<html>\n bad\n</html>"), "<html> bad </html>");
        assert_eq!(hub_words(""), "");
    }

    #[test]
    fn only_refusals_that_pass_are_worth_another_try() {
        let answered = |status| Refusal::Answered { status, words: String::new(), wait: None };
        assert!(answered(StatusCode::TOO_MANY_REQUESTS).is_transient());
        assert!(answered(StatusCode::BAD_GATEWAY).is_transient());
        assert!(!answered(StatusCode::UNAUTHORIZED).is_transient());
        assert!(!answered(StatusCode::BAD_REQUEST).is_transient());
    }
}
