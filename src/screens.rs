//! Who watches: sign-in, snapshots, subscriptions, and the announcements of changes.

mod client_ids;
pub mod groups;
pub(crate) mod negotiate;
pub mod publish;
pub mod snapshot;
pub(crate) mod subscriptions;
