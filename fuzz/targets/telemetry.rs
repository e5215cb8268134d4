//! libFuzzer on telemetry bodies.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fieldcast_fuzz::check_telemetry(bytes));
