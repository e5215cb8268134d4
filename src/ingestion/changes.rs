//! Changed devices of a batch, each to be announced once with its last state. Pure.

use std::collections::BTreeMap;

use crate::primitives::ids::DeviceId;
use crate::screens::publish::Change;

/// Changes of a batch that are not announced yet.
#[derive(Default)]
pub(super) struct Changes {
    /// Of earlier slices.
    earlier: BTreeMap<DeviceId, Change>,
    /// Of this slice, in which each device and each part of one is once.
    slice: Vec<Change>,
}

impl Changes {
    /// Adds a device's change.
    pub(super) fn push(&mut self, change: Change) {
        self.slice.push(change);
    }

    /// Ends a slice, and says how many devices wait.
    pub(super) fn end_slice(&mut self) -> usize {
        for mut change in self.slice.drain(..) {
            if let Some(earlier) = self.earlier.remove(&change.source) {
                // Who follows the first area has it on the screen. What lay between was not announced to anybody.
                change.left = earlier.left.or(change.left).filter(|left| change.area.as_ref() != Some(left));
            }
            self.earlier.insert(change.source.clone(), change);
        }
        self.earlier.len()
    }

    /// All of them.
    pub(super) fn take(&mut self) -> Vec<Change> {
        if self.earlier.is_empty() {
            return std::mem::take(&mut self.slice);
        }
        self.end_slice();
        std::mem::take(&mut self.earlier).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(device: &str, area: &str, left: Option<&str>, state: &str) -> Change {
        let source = DeviceId::of_key(device).unwrap();
        Change {
            device: source.whole(),
            source,
            area: Some(area.to_owned()),
            left: left.map(str::to_owned),
            state: state.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_device_of_several_slices_is_announced_once_with_its_last_state_and_the_area_it_came_from() {
        let mut changes = Changes::default();
        for slice in [
            vec![change("a", "Perth", Some("Sydney"), "1"), change("b", "Perth", Some("Sydney"), "1")],
            vec![change("a|m|", "Perth", None, "1"), change("a|n|", "Perth", None, "1")],
            vec![change("a", "Hobart", Some("Perth"), "2"), change("c", "Perth", None, "1")],
            vec![change("b", "Sydney", Some("Perth"), "2"), change("c", "Hobart", Some("Perth"), "2")],
        ] {
            slice.into_iter().for_each(|change| changes.push(change));
            changes.end_slice();
        }
        let wanted = [
            change("a", "Hobart", Some("Sydney"), "2"),
            change("a|m|", "Perth", None, "1"),
            change("a|n|", "Perth", None, "1"),
            change("b", "Sydney", None, "2"),
            change("c", "Hobart", Some("Perth"), "2"),
        ];
        assert_eq!(changes.take(), wanted);
        assert!(changes.take().is_empty());
    }
}
