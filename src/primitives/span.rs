//! Where a part lies in its whole: borrowed parts become ranges, which outlive the borrow.

use std::ops::Range;

/// The range of `part` in `whole`. `part` was borrowed from `whole`, so the difference of addresses is an offset.
pub(crate) fn span_of(part: &str, whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}
