//! The plan: every fault of a run as an entry of a list, apart from the work itself. A run that fails is run again with
//! fewer entries, until none can be left out.

mod draw;
mod fault;

pub use draw::{KINDS, plan};
pub use fault::{Fault, Outage, SignalRCall, SignalRTrouble, StoreCall, StoreTrouble};
