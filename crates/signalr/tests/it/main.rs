//! The client against a scripted service on loopback, over real connections.

mod membership;
mod sending;
mod service;
mod several;
mod token;
mod transport;
mod trouble;
