//! The screens: the page's own code in a browser without a document, in the world's time. What it asks of the network
//! happens here: calls of the real functions, and connections to the simulated SignalR Service.

mod driver;
mod network;
mod outside;
mod relying;

pub(crate) use self::driver::Screens;
pub(crate) use self::outside::Forward;
