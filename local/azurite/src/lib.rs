//! Starts a real Azurite (Table Storage emulator, from npm) for tests and the local stack.
//!
//! The package is pinned in `package.json` beside this crate and has to be installed once with [`install()`] (or `npm
//! ci` in that folder). Each [`Azurite`] is a process of its own on a free loopback port, so that tests can run in
//! parallel; it ends when the value is dropped, and also when the process that started it ends.

mod error;
mod package;

mod install;
mod output;
mod process;

pub use error::AzuriteError;
pub use install::install;
pub use process::Azurite;
