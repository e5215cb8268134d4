//! Which table partition a device's row lives in.

use crate::primitives::ids::DeviceId;
use crate::primitives::stable_hash::stable_hash;

/// How the devices are spread over table partitions. Table Storage serves about 2,000 entities a second per partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    partition_key: String,
    count: u16,
}

/// One of the table partitions, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

impl Shards {
    /// More shards than this cost more requests per batch than they gain: 100 of them already carry 200,000 rows a second.
    pub const MOST: u16 = 100;

    /// `count` shards, 1 to [`Shards::MOST`]; others are clamped, settings are checked where they are read.
    pub fn new(partition_key: &str, count: u16) -> Shards {
        Shards { partition_key: partition_key.to_owned(), count: count.clamp(1, Self::MOST) }
    }

    /// The number of shards.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The partition key as configured, which calibration rows use whatever the count.
    pub fn partition_key(&self) -> &str {
        &self.partition_key
    }

    /// The shard of a device and all its parts: a stable hash, because its answer is written to storage.
    pub fn of(&self, device: &DeviceId) -> Shard {
        self.of_row(device.as_str())
    }

    /// As `of`, for row keys that are not valid device ids.
    pub(crate) fn of_row(&self, row_key: &str) -> Shard {
        let hash = stable_hash(DeviceId::device_key_of(row_key).as_bytes());
        Shard(u16::try_from(hash % u64::from(self.count)).expect("a remainder of a u16 fits"))
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.count).map(Shard)
    }

    /// The table partition keys of all of them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.all().map(|shard| self.key(shard))
    }

    /// The table partition key: the configured key itself for one shard, else with a two-digit number.
    pub fn key(&self, shard: Shard) -> String {
        match self.count {
            1 => self.partition_key.clone(),
            _ => format!("{}-{:02}", self.partition_key, shard.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shard_is_the_plain_key() {
        let shards = Shards::new("Sydney", 1);
        assert_eq!(shards.key(shards.of(&DeviceId::parse("a").unwrap())), "Sydney");
    }

    #[test]
    fn placement_is_stable_and_spread() {
        let shards = Shards::new("Sydney", 16);
        let key = |id: &str| shards.key(shards.of(&DeviceId::parse(id).unwrap()));
        assert_eq!((key("sensor-1"), key("sensor-2")), ("Sydney-09".to_owned(), "Sydney-00".to_owned()));
        let used: std::collections::HashSet<String> = (0..200).map(|n| key(&format!("device-{n}"))).collect();
        assert_eq!(used.len(), 16);
    }
}
