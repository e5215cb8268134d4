//! What must hold for any input: one function per kind of input, which panics when it does not hold. The fuzz targets
//! look for such input, and `tests/it` replays the corpus.

mod bodies;
mod invocations;
mod judge;

pub use bodies::{check_rich_telemetry, check_telemetry};
pub use handler::*;
pub use invocations::{check_envelope, check_http_call};

/// The parsers of the handler, compiled here instead of being linked: they need a handful of small libraries, the
/// whole handler needs a hundred and fifty, and all of it is built again with the fuzzer's instrumentation.
#[path = "../../src"]
mod handler {
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod host {
        pub mod envelope;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod primitives {
        pub mod area;
        pub mod ids;
        pub mod instant;
        pub(crate) mod span;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod rejected {
        pub mod reading;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod telemetry {
        pub mod body;
        pub mod catalogue;
        pub mod measured;
    }
}
