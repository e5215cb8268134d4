//! The configuration of a hub: address, devices, policy, partitions, limits and the folder of the log.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::sas::Key;

/// The shared access key of the default policy: published, fixed, and without value outside a laptop.
/// It is the base64 form of the 32 characters `fieldcast-local-development-only`.
pub const DEVELOPMENT_KEY: &str = "ZmllbGRjYXN0LWxvY2FsLWRldmVsb3BtZW50LW9ubHk=";

/// The largest message, and the largest batch: 256 KB (Microsoft docs, "IoT Hub quotas and throttling").
pub(crate) const MESSAGE_SIZE_LIMIT: usize = 256 * 1024;

/// The configuration of a hub. The default is port 7072, four partitions, any device, and events in memory.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Where to listen; must be a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The host name that devices use in their tokens; `None` means `127.0.0.1:<port>`. Loopback names are accepted as
    /// well.
    pub host_name: Option<String>,
    /// The Event Hub-compatible name of the read side.
    pub entity: String,
    /// How many partitions devices are spread over, 1 to 128. A log remembers its count.
    pub partitions: u16,
    /// Folder of the log; with `None` events are in memory and lost at a restart.
    pub data_dir: Option<PathBuf>,
    /// Which devices may send.
    pub devices: Devices,
    /// The hub-level shared access policy.
    pub policy: Policy,
    /// Send requests per second of all devices together before 429, with a burst of one second; `None` means no limit.
    pub sends_per_second: Option<NonZeroU32>,
    /// What an acknowledged event survives.
    pub durability: Durability,
    /// How much of each partition is kept.
    pub retention: Retention,
}

/// Which devices a hub knows.
#[derive(Clone, Debug)]
pub enum Devices {
    /// Every well-formed id is a device. Its key is base64(HMAC-SHA256(policy key, device id)), which is how group
    /// enrolment in the Device Provisioning Service derives keys.
    AnyWithPolicy,
    /// Only these.
    Registered(Vec<Device>),
}

/// One entry of the device registry.
#[derive(Clone)]
pub struct Device {
    /// Device id, case-sensitive.
    pub id: String,
    /// Primary key, base64.
    pub primary_key: String,
    /// Secondary key, base64, if the device has one.
    pub secondary_key: Option<String>,
    /// The value of `iothub-connection-auth-generation-id`, which distinguishes a re-created device from its
    /// predecessor.
    pub generation_id: String,
}

/// A hub-level shared access policy with the right to connect devices.
#[derive(Clone)]
pub struct Policy {
    /// The name that tokens carry in `skn`.
    pub name: String,
    /// Key, base64.
    pub key: String,
}

/// What an acknowledged event in a log folder survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, SIGKILL included.
    #[default]
    ProcessCrash,
    /// A loss of power as well: the file is synchronised before each acknowledgement.
    PowerLoss,
}

/// How much of a partition is kept. The hub does not know its readers' checkpoints, so it drops what exceeds either
/// bound, read or not. Trimming drops whole segments (an eighth of `bytes`), never the newest one, and does not change
/// sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events older than this may be dropped; IoT Hub's shortest setting is one day.
    pub age: Duration,
    /// Bytes of log (or of memory, without a folder) per partition.
    pub bytes: u64,
}

impl Default for Retention {
    /// One day and 64 MiB per partition: about 130,000 events of 500 bytes, at most 256 MiB for four partitions.
    fn default() -> Self {
        Retention { age: Duration::from_hours(24), bytes: 64 << 20 }
    }
}

impl Default for Policy {
    /// `device` with the [`DEVELOPMENT_KEY`].
    fn default() -> Self {
        Policy { name: "device".to_owned(), key: DEVELOPMENT_KEY.to_owned() }
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        HubConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7072)),
            host_name: None,
            entity: "fieldcast".to_owned(),
            partitions: 4,
            data_dir: None,
            devices: Devices::AnyWithPolicy,
            policy: Policy::default(),
            sends_per_second: None,
            durability: Durability::default(),
            retention: Retention::default(),
        }
    }
}

impl Policy {
    /// The key that [`Devices::AnyWithPolicy`] gives a device: base64(HMAC-SHA256(policy key, device id)).
    /// `None` when the policy's own key is not base64.
    pub fn device_key(&self, device: &str) -> Option<String> {
        Some(Key::parse(&self.key)?.derive(device).to_base64())
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_key() {
        let device = Device {
            id: "sensor-1".to_owned(),
            primary_key: "Zmlyc3Q=".to_owned(),
            secondary_key: Some("c2Vjb25k".to_owned()),
            generation_id: "1".to_owned(),
        };
        let config = HubConfig { devices: Devices::Registered(vec![device]), ..HubConfig::default() };
        let text = format!("{config:?}");
        assert!(text.contains("sensor-1"));
        for key in ["Zmlyc3Q=", "c2Vjb25k", DEVELOPMENT_KEY] {
            assert!(!text.contains(key), "{text}");
        }
    }
}
