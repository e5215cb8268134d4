//! Decides who may send: checks a token against the hub's policy and devices. Transports pass the text of the token and
//! the device it is used for.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::config::{Device, Devices, Policy};
use crate::error::HubError;
use crate::identity::{DeviceId, Scope, Sender};
use crate::refusal::{Refusal, Unauthorized};
use crate::sas::{Coverage, Key, Resource, Token};

/// The keys that a hub accepts.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// The host names that tokens may carry; the first one is shown in errors.
    hosts: Vec<String>,
    policy_name: String,
    policy_key: Key,
    registry: Option<HashMap<String, RegisteredDevice>>,
}

#[derive(Debug)]
struct RegisteredDevice {
    keys: Vec<Key>,
    generation: String,
}

impl Authenticator {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`HubError::Configuration`] names the policy or device whose key or id cannot be used.
    pub(crate) fn new(
        hosts: Vec<String>,
        policy: &Policy,
        devices: &Devices,
    ) -> Result<Authenticator, HubError> {
        let policy_key = Key::parse(&policy.key).ok_or_else(|| {
            HubError::Configuration(format!("the key of policy '{}' is not base64", policy.name))
        })?;
        let registry = match devices {
            Devices::AnyWithPolicy => None,
            Devices::Registered(devices) => Some(devices.iter().map(registered).collect::<Result<_, _>>()?),
        };
        Ok(Authenticator { hosts, policy_name: policy.name.clone(), policy_key, registry })
    }

    /// Accepts `device` if the token is valid for it at the time `now`. `endpoint` is the path after the device id.
    pub(crate) fn admit(
        &self,
        token: Option<&str>,
        device: DeviceId,
        endpoint: &[&str],
        now: Timestamp,
    ) -> Result<Sender, Refusal> {
        let token = Token::parse(token.ok_or(Unauthorized::NoToken)?).map_err(Unauthorized::NotAToken)?;
        let resource = token.resource().map_err(Unauthorized::NotAToken)?;
        let coverage = self.coverage(&resource, &device, endpoint)?;
        expect_fresh(&token, now)?;
        match &token.policy {
            Some(policy) => self.admit_by_policy(&token, policy, device),
            None if coverage == Coverage::Hub => Err(Unauthorized::HubWide.into()),
            None => Ok(self.admit_by_device_key(&token, device)?),
        }
    }

    /// Whether tokens may name this host.
    pub(crate) fn is_own_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }

    /// A device's primary key in base64; `None` for a device that the hub does not know.
    pub(crate) fn device_key(&self, device: &DeviceId) -> Option<String> {
        Some(self.keys(device)?.first()?.to_base64())
    }

    fn coverage(
        &self,
        resource: &Resource,
        device: &DeviceId,
        endpoint: &[&str],
    ) -> Result<Coverage, Unauthorized> {
        if !self.is_own_host(&resource.host) {
            return Err(Unauthorized::OtherHost { named: resource.host.clone(), own: self.hosts[0].clone() });
        }
        match resource.coverage(device.as_str(), endpoint) {
            Coverage::OtherDevice(named) => {
                Err(Unauthorized::OtherDevice { named, device: device.to_string() })
            }
            Coverage::Elsewhere => Err(Unauthorized::Elsewhere { device: device.to_string() }),
            coverage => Ok(coverage),
        }
    }

    fn admit_by_policy(&self, token: &Token<'_>, policy: &str, device: DeviceId) -> Result<Sender, Refusal> {
        if policy != self.policy_name {
            let (named, own) = (policy.to_owned(), self.policy_name.clone());
            return Err(Unauthorized::UnknownPolicy { named, own }.into());
        }
        if !token.is_signed_by(&self.policy_key) {
            return Err(Unauthorized::Signature { signer: format!("policy '{policy}'") }.into());
        }
        let generation =
            self.generation(&device).ok_or_else(|| Refusal::UnknownDevice(device.to_string()))?;
        Ok(Sender { device, module: None, scope: Scope::Hub, generation })
    }

    fn admit_by_device_key(&self, token: &Token<'_>, device: DeviceId) -> Result<Sender, Unauthorized> {
        let unknown = || Unauthorized::UnknownDevice(device.to_string());
        let keys = self.keys(&device).ok_or_else(unknown)?;
        let generation = self.generation(&device).ok_or_else(unknown)?;
        if !keys.iter().any(|key| token.is_signed_by(key)) {
            return Err(Unauthorized::Signature { signer: format!("device '{device}'") });
        }
        Ok(Sender { device, module: None, scope: Scope::Device, generation })
    }

    fn keys(&self, device: &DeviceId) -> Option<Vec<Key>> {
        match &self.registry {
            None => Some(vec![self.policy_key.derive(device.as_str())]),
            Some(registry) => registry.get(device.as_str()).map(|device| device.keys.clone()),
        }
    }

    fn generation(&self, device: &DeviceId) -> Option<String> {
        match &self.registry {
            None => Some(device.generation()),
            Some(registry) => registry.get(device.as_str()).map(|device| device.generation.clone()),
        }
    }
}

fn expect_fresh(token: &Token<'_>, now: Timestamp) -> Result<(), Unauthorized> {
    if token.expires > now.as_second() {
        return Ok(());
    }
    let at = Timestamp::from_second(token.expires).unwrap_or(Timestamp::MIN);
    Err(Unauthorized::Expired { at, now })
}

fn registered(device: &Device) -> Result<(String, RegisteredDevice), HubError> {
    let wrong = |what: String| HubError::Configuration(format!("device '{}': {what}", device.id));
    DeviceId::parse(&device.id).map_err(wrong)?;
    let key = |text: &String| Key::parse(text).ok_or_else(|| wrong("a key is not base64".to_owned()));
    let texts = std::iter::once(&device.primary_key).chain(&device.secondary_key);
    let keys = texts.map(key).collect::<Result<_, _>>()?;
    Ok((device.id.clone(), RegisteredDevice { keys, generation: device.generation_id.clone() }))
}
