//! Connection strings of Azure SignalR Service: text from the portal in, an [`Endpoint`] or a typed refusal out.
//!
//! The rules are those of Microsoft's own parser (`ConnectionStringParser` in the Azure SignalR SDK for .NET).

use std::collections::BTreeMap;

use reqwest::Url;

use self::ConnectionStringError as Error;
use crate::endpoint::Endpoint;
use crate::token::SigningKey;

/// Why a connection string cannot be used. No variant carries text of the string, which is a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionStringError {
    /// Fewer than two parts, so this is not a connection string at all.
    #[error("expected Endpoint=https://...;AccessKey=...;Version=1.0;")]
    NotAConnectionString,
    /// A key occurs twice, whatever its letter case.
    #[error("a key occurs twice")]
    DuplicateKey,
    /// `Endpoint` is absent.
    #[error("Endpoint is missing")]
    MissingEndpoint,
    /// `AccessKey` is absent or empty.
    #[error("AccessKey is missing")]
    MissingAccessKey,
    /// `Version` is not 1.x.
    #[error("Version is not supported, expected 1.0")]
    UnsupportedVersion,
    /// `Port` is not a port number.
    #[error("Port must be a number from 1 to 65535")]
    InvalidPort,
    /// The named key does not hold a plain web address.
    #[error("{key} must be an absolute http or https URL without credentials, query or fragment")]
    InvalidUrl {
        /// `Endpoint`, `ClientEndpoint` or `ServerEndpoint`.
        key: &'static str,
    },
    /// The string asks for Microsoft Entra ID.
    #[error(
        "identity authentication (AuthType or ServiceUri) is not supported, only access keys are: \
         enable access keys on the SignalR Service and set the connection string from its Keys page, \
         Endpoint=https://...;AccessKey=...;Version=1.0;"
    )]
    IdentityNotSupported,
}

impl Endpoint {
    /// Reads a connection string such as `Endpoint=https://x.service.signalr.net;AccessKey=...;Version=1.0;`.
    ///
    /// Keys are case-insensitive; `Port`, `ClientEndpoint` and `ServerEndpoint` are honoured; unknown keys are ignored.
    ///
    /// # Errors
    /// [`ConnectionStringError`], which never carries any part of the text.
    pub fn parse(text: &str) -> Result<Endpoint, ConnectionStringError> {
        let values = Values::read(text)?;
        values.check_auth_type()?;
        values.check_version()?;
        let service = values.service_url()?;
        let client = values.url("ClientEndpoint")?.unwrap_or_else(|| service.clone());
        let server = values.url("ServerEndpoint")?.unwrap_or_else(|| service.clone());
        Ok(Endpoint::new(SigningKey::new(values.access_key()?), &service, &client, &server))
    }
}

struct Values<'a>(BTreeMap<String, &'a str>);

impl<'a> Values<'a> {
    fn read(text: &'a str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split(';').filter(|part| !part.is_empty()).collect();
        if parts.len() < 2 {
            return Err(Error::NotAConnectionString);
        }
        let mut values = BTreeMap::new();
        for (key, value) in parts.iter().filter_map(|part| part.split_once('=')) {
            let known = values.insert(key.trim().to_ascii_lowercase(), value.trim());
            if known.is_some() {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(Values(values))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(&key.to_ascii_lowercase()).copied()
    }

    fn check_auth_type(&self) -> Result<(), Error> {
        let auth_type = self.get("AuthType").unwrap_or_default().to_ascii_lowercase();
        match auth_type.as_str() {
            "azure" | "azure.msi" | "azure.app" | "aad" => Err(Error::IdentityNotSupported),
            _ => Ok(()),
        }
    }

    fn check_version(&self) -> Result<(), Error> {
        match self.get("Version") {
            Some(version) if !is_supported(version) => Err(Error::UnsupportedVersion),
            _ => Ok(()),
        }
    }

    fn access_key(&self) -> Result<&'a str, Error> {
        self.get("AccessKey").filter(|key| !key.is_empty()).ok_or(Error::MissingAccessKey)
    }

    fn service_url(&self) -> Result<Url, Error> {
        let mut url = self.url("Endpoint")?.ok_or(Error::MissingEndpoint)?;
        if let Some(port) = self.port()? {
            url.set_port(Some(port)).map_err(|()| Error::InvalidUrl { key: "Endpoint" })?;
        }
        Ok(url)
    }

    fn port(&self) -> Result<Option<u16>, Error> {
        let Some(text) = self.get("Port") else {
            return Ok(None);
        };
        match text.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(Error::InvalidPort),
        }
    }

    fn url(&self, key: &'static str) -> Result<Option<Url>, Error> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        plain_url(text).map(Some).ok_or(Error::InvalidUrl { key })
    }
}

/// Refuses what the URL parser of browsers would repair (`https:host`, back slashes, line breaks), and what has no
/// place in front of a path: credentials (they would replace the token), a query, a fragment.
fn plain_url(text: &str) -> Option<Url> {
    let as_written =
        !text.contains(|c: char| c.is_ascii_control() || c.is_whitespace() || "\\?#@".contains(c));
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && text.contains("://");
    (as_written && web).then_some(url)
}

/// `1.` and at least one digit, then only word characters, dots and hyphens: `1.0`, `1.0-preview`.
fn is_supported(version: &str) -> bool {
    let Some(minor) = version.strip_prefix("1.") else {
        return false;
    };
    minor.starts_with(|c: char| c.is_ascii_digit())
        && minor.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

    fn origin(text: &str) -> Result<String, Error> {
        Endpoint::parse(text).map(|endpoint| endpoint.origin().to_owned())
    }

    #[test]
    fn accepted_forms_give_the_service_origin() {
        for (text, expected) in [
            (
                "Endpoint=https://a.service.signalr.net;AccessKey=k=;Version=1.0;",
                "https://a.service.signalr.net",
            ),
            ("Endpoint=https://A.Service.SignalR.net/;AccessKey=k", "https://a.service.signalr.net"),
            (" eNdPoInT = http://localhost ; ACCESSKEY = k ; port = 8888 ;", "http://localhost:8888"),
            ("Endpoint=http://localhost:1;AccessKey=k;Port=8888", "http://localhost:8888"),
            ("Endpoint=https://h:443;AccessKey=k", "https://h"),
            ("Endpoint=https://h;AccessKey=k;Port=443", "https://h"),
            ("Endpoint=https://h;AccessKey=k;Version=1.12-preview.3", "https://h"),
            ("Endpoint=https://h;AccessKey=k;Unknown=1;noise", "https://h"),
            ("Endpoint=https://h;AccessKey=k;AuthType=something", "https://h"),
            (";;Endpoint=http://[::1]:81;;AccessKey=k;;", "http://[::1]:81"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refused_forms_say_what_is_wrong() {
        let url = |key| Error::InvalidUrl { key };
        for (text, expected) in [
            ("", Error::NotAConnectionString),
            ("Endpoint=https://h", Error::NotAConnectionString),
            ("Endpoint=https://h;endpoint=https://h;AccessKey=k", Error::DuplicateKey),
            ("Endpoint=https://h;AccessKey=k;x=1;X=2", Error::DuplicateKey),
            ("AccessKey=k;Version=1.0", Error::MissingEndpoint),
            ("Endpoint=https://h;Version=1.0", Error::MissingAccessKey),
            ("Endpoint=https://h;AccessKey= ;", Error::MissingAccessKey),
            ("Endpoint=https://h;AccessKey=k;Version=2.0", Error::UnsupportedVersion),
            ("Endpoint=https://h;AccessKey=k;Version=1.", Error::UnsupportedVersion),
            ("Endpoint=https://h;AccessKey=k;Version=1.0 x", Error::UnsupportedVersion),
            ("Endpoint=https://h;AccessKey=k;Port=0", Error::InvalidPort),
            ("Endpoint=https://h;AccessKey=k;Port=65536", Error::InvalidPort),
            ("Endpoint=https://h;AccessKey=k;Port=", Error::InvalidPort),
            ("Endpoint=h;AccessKey=k", url("Endpoint")),
            ("Endpoint=;AccessKey=k", url("Endpoint")),
            ("Endpoint=https:h;AccessKey=k", url("Endpoint")),
            ("Endpoint=ftp://h;AccessKey=k", url("Endpoint")),
            ("Endpoint=https://me:pw@h;AccessKey=k", url("Endpoint")),
            ("Endpoint=https://h;ClientEndpoint=https://h?a=b;AccessKey=k", url("ClientEndpoint")),
            ("Endpoint=https://h;ServerEndpoint=nowhere;AccessKey=k", url("ServerEndpoint")),
        ] {
            assert_eq!(origin(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn identity_strings_are_recognised_and_told_what_to_set() {
        for auth_type in ["azure", "Azure.MSI", "azure.app", "AAD"] {
            let text = format!("Endpoint=https://h;AuthType={auth_type};ClientId=1");
            assert_eq!(origin(&text), Err(Error::IdentityNotSupported));
        }
        let message = Error::IdentityNotSupported.to_string();
        assert!(message.contains("only access keys are") && message.contains("AccessKey=..."), "{message}");
    }

    #[test]
    fn client_and_server_addresses_are_kept_apart() {
        let text = format!(
            "Endpoint=https://svc.net;AccessKey={KEY};ClientEndpoint=https://front.net/a/;ServerEndpoint=https://back.net:8443"
        );
        let endpoint = Endpoint::parse(&text).expect("a good string");
        assert_eq!(endpoint.client_base(), "https://front.net/a");
        assert_eq!(endpoint.server_base(), "https://back.net:8443");
        assert_eq!(endpoint.origin(), "https://svc.net");
        assert_eq!(endpoint.audience_base(), "https://svc.net/");
    }

    #[test]
    fn debug_shows_no_key() {
        let endpoint =
            Endpoint::parse(&format!("Endpoint=https://h;AccessKey={KEY}")).expect("a good string");
        let shown = format!("{endpoint:?}");
        assert!(shown.contains("https://h") && !shown.contains("ABCDEF"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = Endpoint::parse(&text);
        }

        #[test]
        fn no_near_miss_makes_the_parser_panic(text in "(Endpoint|AccessKey|Port|Version|AuthType|[a-z]{0,3}| |=|;|https?://|[0-9./:@\\[\\]-]{0,5}){0,24}") {
            let _ = Endpoint::parse(&text);
        }

        #[test]
        fn what_was_written_is_read_back(
            host in "[a-z][a-z0-9]{0,10}(\\.[a-z]{2,5}){0,2}",
            port in 1_u16..,
            key in "[A-Za-z0-9+/=]{1,88}",
            gap in " {0,2}",
            reversed in any::<bool>(),
        ) {
            let mut parts = [
                format!("Endpoint{gap}={gap}http://{host}"),
                format!("{gap}ACCESSKEY={key}{gap}"),
                format!("port={port}"),
                "Version=1.0".to_owned(),
            ];
            if reversed { parts.reverse(); }
            let endpoint = Endpoint::parse(&parts.join(";")).expect("a well-formed string");
            let shown = if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") };
            prop_assert_eq!(endpoint.origin(), shown);
            prop_assert_eq!(endpoint.audience_base(), format!("http://{host}/"));
            let claims = serde_json::json!({"aud": "x"});
            prop_assert_eq!(endpoint.key().token(&claims), SigningKey::new(&key).token(&claims));
        }
    }
}
