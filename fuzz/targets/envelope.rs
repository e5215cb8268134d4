//! libFuzzer on envelopes of a trigger.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fieldcast_fuzz::check_envelope(bytes));
