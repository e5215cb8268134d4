//! A ledger comes back as it was packed, and one that was cut or changed is not believed.

use proptest::prelude::*;

use super::*;
use crate::primitives::ids::DeviceId;
use crate::telemetry::catalogue::Catalogue;

fn partition(name: &str) -> HubPartition {
    HubPartition::new("hub", name)
}

fn mark(sequence: i64, enqueued_at: Option<i64>, at: i64) -> Watermark {
    let enqueued_at = enqueued_at.map(Millis);
    Watermark { sequence, enqueued_at, began: enqueued_at, at: Millis(at) }
}

/// A state with these rejected readings: partition, sequence number, index.
fn state(rejected: &[(u8, i64, usize)]) -> DeviceState {
    let mut state = DeviceState::new(DeviceId::parse("sensor-1").unwrap(), &Catalogue::environment());
    state.version = i64::MAX;
    state.write_id = WriteId { invocation: u64::MAX, from: 7 };
    state.calibration = "0123456789abcdef".to_owned();
    state.reported = Some(Stamp { at: Millis(5), partition: partition("3") });
    state.changed_at = Some(Millis(-4));
    let watermarks = [(partition("0"), mark(i64::MAX, Some(3), 2)), (partition("3"), mark(0, None, 0))];
    state.watermarks = watermarks.into_iter().collect();
    for (number, sequence, index) in rejected {
        state.verdicts.reject(&partition(&number.to_string()), *sequence, *index);
    }
    state
}

fn packed(state: &DeviceState) -> Vec<u8> {
    pack(state, &[("Geo", &Stamp { at: Millis(1), partition: partition("9") })])
}

proptest! {
    #[test]
    fn a_ledger_comes_back_as_it_was_packed(
        rejected in proptest::collection::vec((0_u8..3, 0_i64..20, 0_usize..20_000), 0..40),
    ) {
        let state = state(&rejected);
        let bytes = packed(&state);
        let ledger = unpack(&bytes).unwrap();
        prop_assert_eq!(ledger.version, state.version);
        prop_assert_eq!(ledger.write_id, state.write_id);
        prop_assert_eq!(ledger.calibration, state.calibration);
        prop_assert_eq!(ledger.reported_by, Some(partition("3")));
        prop_assert_eq!(ledger.changed_at, state.changed_at);
        prop_assert_eq!(ledger.watermarks, state.watermarks);
        prop_assert_eq!(ledger.older, [("Geo".to_owned(), Stamp { at: Millis(1), partition: partition("9") })]);
        let without = packed(&super::tests::state(&[])).len();
        prop_assert!(bytes.len() - without <= state.verdicts.packed_length() + 20);
        prop_assert_eq!(ledger.verdicts, state.verdicts);
    }

    #[test]
    fn a_ledger_that_was_cut_or_changed_is_not_believed(at: prop::sample::Index, change in 1_u8..=255) {
        let bytes = packed(&state(&[(0, 7, 3)]));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= change;
        prop_assert_eq!(unpack(&changed), Err(LedgerError::Damaged));
        prop_assert_eq!(unpack(&bytes[..at.index(bytes.len())]), Err(LedgerError::Damaged));
    }
}

#[test]
fn a_ledger_of_a_later_format_says_so() {
    let mut bytes = packed(&state(&[]));
    bytes.truncate(bytes.len() - 4);
    bytes[0] = FORMAT + 1;
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    assert_eq!(unpack(&bytes), Err(LedgerError::Newer(FORMAT + 1)));
}
