//! The suite on every store; the Azure adapter over real connections, against scripted answers, which pin what the service
//! says, and against Azurite, which has to be installed (`npm ci` in `local/azurite`).

#![expect(clippy::unwrap_used, reason = "a test may end where something unexpected happens")]

mod appointment;
mod azurite;
mod creating;
mod kill;
mod missing;
mod odd_answers;
mod reads;
mod script;
mod stores;
mod writes;
