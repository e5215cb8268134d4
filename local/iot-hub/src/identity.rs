//! Devices: the ids that a hub accepts, the partition of a device, and an authenticated device as a sender.

use std::fmt;

/// A device id as IoT Hub takes it (Microsoft docs, "Identity registry"): 1 to 128 ASCII letters, digits and
/// `- . % _ * ? ! ( ) , : = @ $ '`. Case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceId(String);

/// An authenticated device or a module of it, and how it proved who it is.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) device: DeviceId,
    /// The module of the device that sends; module ids follow the rules of device ids.
    pub(crate) module: Option<DeviceId>,
    pub(crate) scope: Scope,
    /// `iothub-connection-auth-generation-id`.
    pub(crate) generation: String,
}

/// Whose key signed the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Device,
    Module,
    Hub,
}

const LONGEST: usize = 128;
const SPECIAL: &str = "-.%_*?!(),:=@$'";

impl DeviceId {
    /// Reads an id in its plain (not percent-encoded) form; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<DeviceId, String> {
        if text.is_empty() {
            return Err("the device id is empty".to_owned());
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !SPECIAL.contains(*c)) {
            return Err(format!(
                "a device id cannot contain {odd:?}; allowed are letters, digits and {SPECIAL}"
            ));
        }
        if text.len() > LONGEST {
            return Err(format!("the device id has {} characters, {LONGEST} are allowed", text.len()));
        }
        Ok(DeviceId(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition of this device among `count`, always the same one. IoT Hub's own hash is not published, so this
    /// takes FNV-1a, folded because its low bits alone spread short ids badly.
    pub(crate) fn partition(&self, count: usize) -> usize {
        let hash = fnv1a(self.0.as_bytes());
        usize::try_from((hash ^ (hash >> 32)) % count as u64)
            .expect("a remainder is below the partition count")
    }

    /// A generation id for a device without a registry entry: stable, and 18 digits like the tick numbers of IoT Hub.
    pub(crate) fn generation(&self) -> String {
        let ticks = 638_000_000_000_000_000 + fnv1a(self.0.as_bytes()) % 1_000_000_000_000_000;
        ticks.to_string()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_every_allowed_character_are_accepted() {
        for id in ["a", "a.b:c_d@e=f", "%2f", "-.%_*?!(),:=@$'", &"x".repeat(128)] {
            assert_eq!(DeviceId::parse(id).map(|id| id.to_string()), Ok(id.to_owned()));
        }
    }

    #[test]
    fn ids_that_a_hub_refuses_are_refused() {
        for id in ["", "a/b", "a b", "a+b", "a#b", "é", "a\n", &"x".repeat(129)] {
            assert!(DeviceId::parse(id).is_err(), "{id:?} was accepted");
        }
    }

    #[test]
    fn a_device_keeps_its_partition_for_ever() {
        let partition = |id: &str| DeviceId::parse(id).expect("valid").partition(4);
        assert_eq!(["sensor-1", "sensor-2", "sensor-3", "a"].map(partition), PINNED);
    }

    /// Pinned: another hash would move devices of existing logs to other partitions and break their order.
    const PINNED: [usize; 4] = [3, 2, 1, 0];

    #[test]
    fn a_thousand_devices_spread_evenly() {
        let mut counts = [0_u32; 4];
        for n in 0..1000 {
            counts[DeviceId::parse(&format!("sensor-{n}")).expect("valid").partition(4)] += 1;
        }
        assert!(counts.iter().all(|count| (200..300).contains(count)), "{counts:?}");
    }

    #[test]
    fn fnv_matches_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
