//! Who watches: sign-in, snapshots, subscriptions, and the announcements of changes.

pub mod groups;
mod names;
pub(crate) mod negotiate;
pub mod publish;
pub(crate) mod snapshot;
pub(crate) mod subscriptions;
