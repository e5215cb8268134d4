//! libFuzzer on wrapped HTTP calls.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fieldcast_fuzz::check_http_call(bytes));
