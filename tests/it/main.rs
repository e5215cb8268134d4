//! Integration and end-to-end tests: the real handler process between the stand-ins, real Azurite, the unmodified npm
//! client and Chromium.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, with the place")]

mod stack;

mod bad_input;
mod browser;
mod calls;
mod chaos;
mod convergence;
mod embedded_kill;
mod end_to_end;
mod hostile;
mod predecessor_defects;
mod proxy;
mod reshard;
mod retention;
mod rows;
mod start;
mod targeting;
mod tidy;
