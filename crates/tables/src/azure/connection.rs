//! Connection strings: from the text of a setting to an endpoint and a credential. Pure.

use std::collections::HashMap;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Url;

/// The account and key that Microsoft documents for its emulators; they protect nothing.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const DEVELOPMENT_PORT: u16 = 10002;

/// Where a storage account is and how to authenticate there. Its `Debug` text shows no credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionString {
    /// An emulator's path is the account's name.
    pub(super) endpoint: Url,
    pub(super) credential: Credential,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credential {
    AccountKey {
        account: String,
        key: Vec<u8>,
    },
    /// The query string without its question mark.
    SharedAccessSignature(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::AccountKey { account, .. } => write!(f, "AccountKey of {account}"),
            Credential::SharedAccessSignature(_) => f.write_str("SharedAccessSignature"),
        }
    }
}

/// What is wrong with a connection string. Names the part, never shows its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A needed part is absent or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A part is there but not of the right form.
    #[error("{part} is not {expected}")]
    Malformed {
        /// The name of the part.
        part: &'static str,
        /// What was expected there.
        expected: &'static str,
    },
    /// A part without `=`; counted from 1.
    #[error("part {0} is not of the form Name=value")]
    NotAPair(usize),
    /// A known part is given twice; counted from 1.
    #[error("part {0} repeats an earlier one")]
    Repeated(usize),
}

impl ConnectionString {
    /// Reads a storage connection string as the Azure portal, the Azure CLI and the emulators write it.
    ///
    /// Taken are `UseDevelopmentStorage=true` (with `DevelopmentStorageProxyUri`), or an endpoint with a
    /// credential. The endpoint is `TableEndpoint`, or `AccountName` with `EndpointSuffix` (default
    /// `core.windows.net`) and `DefaultEndpointsProtocol` (default `https`). The credential is
    /// `AccountName` with `AccountKey`, or else `SharedAccessSignature`. Names are case-insensitive; parts for
    /// other services are ignored.
    ///
    /// # Errors
    /// [`ConnectionStringError`] names the part that is missing or malformed.
    pub fn parse(text: &str) -> Result<ConnectionString, ConnectionStringError> {
        let parts = Parts::split(text)?;
        if let Some(switch) = parts.get("UseDevelopmentStorage") {
            return development_storage(switch, parts.get("DevelopmentStorageProxyUri"));
        }
        Ok(ConnectionString { endpoint: endpoint(&parts)?, credential: credential(&parts)? })
    }
}

/// The `Name=value` pairs, by name in lower case.
struct Parts<'a>(HashMap<String, &'a str>);

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Parts<'a>, ConnectionStringError> {
        let mut parts = HashMap::new();
        for (position, part) in text.split(';').enumerate() {
            if part.trim().is_empty() {
                continue;
            }
            let pair = part.split_once('=').ok_or(ConnectionStringError::NotAPair(position + 1))?;
            if parts.insert(pair.0.trim().to_ascii_lowercase(), pair.1.trim()).is_some() {
                return Err(ConnectionStringError::Repeated(position + 1));
            }
        }
        Ok(Parts(parts))
    }

    /// An empty value counts as absent.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(&name.to_ascii_lowercase()).copied().filter(|value| !value.is_empty())
    }

    fn require(&self, name: &'static str) -> Result<&'a str, ConnectionStringError> {
        self.get(name).ok_or(ConnectionStringError::Missing(name))
    }
}

fn malformed(part: &'static str, expected: &'static str) -> ConnectionStringError {
    ConnectionStringError::Malformed { part, expected }
}

fn development_storage(switch: &str, proxy: Option<&str>) -> Result<ConnectionString, ConnectionStringError> {
    if !switch.eq_ignore_ascii_case("true") {
        return Err(malformed("UseDevelopmentStorage", "`true`"));
    }
    const PROXY: &str = "DevelopmentStorageProxyUri";
    let mut endpoint = checked_url(PROXY, proxy.unwrap_or("http://127.0.0.1"))?;
    endpoint.set_port(Some(DEVELOPMENT_PORT)).map_err(|()| malformed(PROXY, "an address with a port"))?;
    endpoint.set_path(DEVELOPMENT_ACCOUNT);
    let key = decode_key(DEVELOPMENT_KEY)?;
    let credential = Credential::AccountKey { account: DEVELOPMENT_ACCOUNT.to_owned(), key };
    Ok(ConnectionString { endpoint, credential })
}

fn endpoint(parts: &Parts<'_>) -> Result<Url, ConnectionStringError> {
    if let Some(endpoint) = parts.get("TableEndpoint") {
        return checked_url("TableEndpoint", endpoint);
    }
    let account = account(parts).map_err(|error| match error {
        ConnectionStringError::Missing(_) => ConnectionStringError::Missing("AccountName or TableEndpoint"),
        other => other,
    })?;
    let suffix = parts.get("EndpointSuffix").unwrap_or("core.windows.net");
    let protocol = parts.get("DefaultEndpointsProtocol").unwrap_or("https");
    if !["http", "https"].iter().any(|known| known.eq_ignore_ascii_case(protocol)) {
        return Err(malformed("DefaultEndpointsProtocol", "`https` or `http`"));
    }
    checked_url("EndpointSuffix", &format!("{protocol}://{account}.table.{suffix}"))
        .map_err(|_| malformed("EndpointSuffix", "a domain name such as core.windows.net"))
}

/// An http(s) address without query and fragment.
fn checked_url(part: &'static str, text: &str) -> Result<Url, ConnectionStringError> {
    let error = || malformed(part, "an http or https address without a query");
    let url = Url::parse(text).map_err(|_| error())?;
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_bare || !is_anonymous {
        return Err(error());
    }
    Ok(url)
}

fn credential(parts: &Parts<'_>) -> Result<Credential, ConnectionStringError> {
    if let Some(key) = parts.get("AccountKey") {
        return Ok(Credential::AccountKey { account: account(parts)?.to_owned(), key: decode_key(key)? });
    }
    let Some(signature) = parts.get("SharedAccessSignature") else {
        return Err(ConnectionStringError::Missing("AccountKey or SharedAccessSignature"));
    };
    let signature = signature.trim_start_matches('?');
    let is_query = signature.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if is_query && signature.split('&').any(|field| field.starts_with("sig=")) {
        Ok(Credential::SharedAccessSignature(signature.to_owned()))
    } else {
        Err(malformed("SharedAccessSignature", "a query string with a sig"))
    }
}

/// The name goes into a host name and into a header.
fn account<'a>(parts: &Parts<'a>) -> Result<&'a str, ConnectionStringError> {
    let account = parts.require("AccountName")?;
    if account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Ok(account)
    } else {
        Err(malformed("AccountName", "letters and digits"))
    }
}

fn decode_key(key: &str) -> Result<Vec<u8>, ConnectionStringError> {
    BASE64_STANDARD.decode(key).map_err(|_| malformed("AccountKey", "base64"))
}

#[cfg(test)]
mod tests;
