//! Protections of the handler taken away at its seams. Production code knows nothing of this.

mod publisher;
mod store;

pub(crate) use self::publisher::WeakenedPublisher;
pub(crate) use self::store::WeakenedStore;
