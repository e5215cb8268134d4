//! Connection strings of devices, as the Azure portal and `cargo dev up` show them.

use anyhow::{Result, bail};

use crate::sas::Key;

/// The address of a hub, and the key of a device or of a policy.
pub(crate) struct ConnectionString {
    /// With its port if it has one, as tokens name it.
    pub(crate) host: String,
    /// Set in the connection string of a device, but not in that of a policy.
    pub(crate) device: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) key: Key,
}

impl ConnectionString {
    /// Reads `HostName=…;DeviceId=…;SharedAccessKey=…` or, for a policy, `SharedAccessKeyName` instead of `DeviceId`.
    /// Errors name the problem and never contain the string.
    pub(crate) fn parse(text: &str) -> Result<ConnectionString> {
        let parts = Parts(text);
        if parts.get("Endpoint").is_some() {
            bail!(
                "this connection string is for reading events (Endpoint=…): a device needs one that starts with HostName="
            );
        }
        let device = parts.get("DeviceId").map(str::to_owned);
        let policy = parts.get("SharedAccessKeyName").map(str::to_owned);
        if device.is_none() && policy.is_none() {
            bail!("the connection string names neither a DeviceId nor a SharedAccessKeyName");
        }
        let Some(host) = parts.get("HostName") else { bail!("the connection string has no HostName") };
        let Some(key) = parts.get("SharedAccessKey") else {
            bail!("the connection string has no SharedAccessKey")
        };
        let Some(key) = Key::from_base64(key) else {
            bail!("the SharedAccessKey of the connection string is not base64: was it copied whole?")
        };
        Ok(ConnectionString { host: host.to_owned(), device, policy, key })
    }

    /// The base URL of requests.
    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_local() { "http" } else { "https" };
        format!("{scheme}://{}", self.host)
    }

    /// The local hub speaks plain HTTP; any other host is IoT Hub, which speaks only TLS.
    pub(crate) fn is_local(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _port)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
    }
}

struct Parts<'a>(&'a str);

impl Parts<'_> {
    /// The value of a key. Case of keys is ignored, and a value may contain `=`, as base64 does.
    fn get(&self, wanted: &str) -> Option<&str> {
        let pairs = self.0.trim().split(';').filter_map(|part| part.split_once('='));
        let mut matching = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(wanted));
        matching.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        ConnectionString::parse(text).err().expect("refused").to_string()
    }

    #[test]
    fn a_device_string_is_read() -> Result<()> {
        let read = ConnectionString::parse(
            "HostName=hub.azure-devices.net;DeviceId=a=b;SharedAccessKey=Zm9vYg==\n",
        )?;
        assert_eq!(read.host, "hub.azure-devices.net");
        assert_eq!(read.device.as_deref(), Some("a=b"));
        assert_eq!(read.policy, None);
        assert_eq!(read.address(), "https://hub.azure-devices.net");
        Ok(())
    }

    #[test]
    fn a_policy_string_is_read_in_any_case_and_order() -> Result<()> {
        let read = ConnectionString::parse(
            "sharedaccesskey=Zm9v;SharedAccessKeyName=device;hostname=localhost:7072;",
        )?;
        assert_eq!(read.policy.as_deref(), Some("device"));
        assert_eq!(read.address(), "http://localhost:7072");
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_secret_is_repeated() {
        assert!(complaint("HostName=h;SharedAccessKey=Zm9v").contains("DeviceId"));
        assert!(complaint("DeviceId=d;SharedAccessKey=Zm9v").contains("HostName"));
        assert!(complaint("HostName=h;DeviceId=d").contains("SharedAccessKey"));
        assert!(
            complaint("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=Zm9v").contains("HostName=")
        );
        let cut_short = complaint("HostName=h;DeviceId=d;SharedAccessKey=Zm9vY");
        assert!(cut_short.contains("base64") && !cut_short.contains("Zm9v"), "{cut_short}");
    }

    #[test]
    fn only_loopback_names_are_local() -> Result<()> {
        for (host, local) in [("127.0.0.1:7072", true), ("[::1]:1", true), ("localhost.example", false)] {
            let read = ConnectionString::parse(&format!("HostName={host};DeviceId=d;SharedAccessKey=Zm9v"))?;
            assert_eq!(read.is_local(), local, "{host}");
        }
        Ok(())
    }
}
