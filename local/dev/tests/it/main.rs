//! The `cargo dev` command as its users run it: the built program, its output, its exit code, and its processes.

mod app;
mod http;
mod program;
mod running;

mod arguments;
mod bench;
mod catalogue;
mod doctor;
mod package;
mod rejected;
mod reshard;
mod send;
mod state;
mod test;
mod up;
