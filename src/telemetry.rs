//! What devices say: bodies, what can be measured in them, and how raw values are corrected.

pub mod body;
pub mod calibration;
pub mod catalogue;
pub mod measured;
