//! What must hold for any bytes that arrive: one function per input, which panics when it does not. The fuzz targets
//! look for such bytes, `tests/it` replays the ones that were worth keeping.

mod bodies;
mod invocations;
mod judge;

pub use bodies::check_telemetry;
pub use handler::*;
pub use invocations::{check_envelope, check_http_call};

/// The parsers of the handler, compiled here instead of being linked: they need a handful of small libraries, the whole
/// handler needs a hundred and fifty, and everything is built once more with the fuzzer's instructions in it.
#[path = "../../src"]
mod handler {
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod host {
        pub mod envelope;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod primitives {
        pub mod ids;
        pub mod instant;
        pub(crate) mod span;
        pub(crate) mod stable_hash;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod rejected {
        pub mod refusal;
    }
    #[expect(missing_docs, reason = "the room as the handler has it")]
    pub mod telemetry {
        pub mod body;
        pub mod catalogue;
    }
}
