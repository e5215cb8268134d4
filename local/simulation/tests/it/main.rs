//! The simulation in the test command: a few hundred seeds keep every promise, every kind of fault really happens, the
//! same seed is the same run, and every protection is missed when it is taken away.

mod promises;
mod protections;
