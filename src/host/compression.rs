//! Compression of large answers, for callers who can read it. Small ones would only cost time, and envelopes are read by
//! the host alone.

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use axum::response::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

/// The mark of an answer that is worth it.
#[derive(Clone)]
struct Large;

/// Marks an answer as worth it.
pub(crate) fn mark(response: &mut Response) {
    response.extensions_mut().insert(Large);
}

/// The layer that compresses marked answers, at the fastest level, since the thread that compresses also counts events;
/// a fleet becomes a tenth of its size.
pub(crate) fn layer() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(is_marked))
}

fn is_marked(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Large>().is_some()
}
