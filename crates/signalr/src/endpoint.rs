//! One SignalR Service instance: where it is reached and how requests to it are signed.

use std::fmt;

use reqwest::Url;

use crate::token::SigningKey;

/// A parsed connection string. [`fmt::Debug`] shows the addresses, never the key.
///
/// Made by [`Endpoint::parse`].
#[derive(Clone)]
pub struct Endpoint {
    key: SigningKey,
    /// `scheme://host[:port]` of the service itself, lower case, default port left out.
    origin: String,
    /// `scheme://host/`: tokens of clients never name a port.
    audience_base: String,
    /// Where clients are sent; no slash at the end.
    client_base: String,
    /// Where REST calls go; no slash at the end.
    server_base: String,
}

impl Endpoint {
    pub(crate) fn new(key: SigningKey, service: &Url, client: &Url, server: &Url) -> Endpoint {
        let scheme = service.scheme();
        let host = service.host_str().unwrap_or_default();
        let is_service = |url: &Url| url == service;
        let origin = service.origin().ascii_serialization();
        let base = |url: &Url| {
            if is_service(url) { origin.clone() } else { without_slash(url) }
        };
        Endpoint {
            key,
            audience_base: format!("{scheme}://{host}/"),
            client_base: base(client),
            server_base: base(server),
            origin,
        }
    }

    /// The address of the service, `scheme://host[:port]`. Not a secret.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(crate) fn audience_base(&self) -> &str {
        &self.audience_base
    }

    pub(crate) fn client_base(&self) -> &str {
        &self.client_base
    }

    pub(crate) fn server_base(&self) -> &str {
        &self.server_base
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("origin", &self.origin)
            .field("client_base", &self.client_base)
            .field("server_base", &self.server_base)
            .finish_non_exhaustive()
    }
}

fn without_slash(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
