//! Stand-in for Azure IoT Hub: devices in, partitioned batches out.
//!
//! A [`Hub`] takes telemetry over HTTP as IoT Hub's device endpoint does (single messages and batches, shared access
//! signatures, the hub's limits and error bodies) and keeps it in numbered partitions for any number of readers.
//! It speaks plain HTTP on loopback, where IoT Hub speaks HTTPS.
//!
//! # Guarantees
//!
//! - **204 means stored.** The answer goes out when the event is in the partition's log; a `kill -9` right
//!   after it loses nothing ([`Durability`] covers loss of power). Without a folder events are kept in memory.
//! - **Order.** A device's events are in one partition, in the order in which they were acknowledged. Sequence numbers
//!   start at 0, have no gaps, and continue after restarts and trimming. Enqueued times never go back.
//! - **Bounded.** A partition keeps at most the bytes and the age of [`Retention`], on disk or in memory, even if it
//!   was not read yet. When the disk is too slow, sends are answered with 429.
//! - **Damage is detected.** Records carry a checksum. A torn last record is cut off and reported ([`Hub::repairs`]);
//!   with any other damage the hub does not start, and names the file ([`HubError::Damaged`]).
//!
//! # Sending with curl
//!
//! The default policy's key is the base64 form of `fieldcast-local-development-only`, so a token for any device
//! takes one line. Keys of other policies are passed to openssl decoded, as `-mac HMAC -macopt hexkey:…`.
//!
//! ```sh
//! SE=$(( $(date +%s) + 3600 )); SIG=$(printf '127.0.0.1%%3A7072\n%s' $SE | openssl dgst -sha256 -hmac fieldcast-local-development-only -binary | base64 | sed 's/+/%2B/g; s|/|%2F|g; s/=/%3D/g')
//!
//! curl -i "http://127.0.0.1:7072/devices/sensor-1/messages/events?api-version=2021-04-12" \
//!   -H "Authorization: SharedAccessSignature sr=127.0.0.1%3A7072&sig=$SIG&se=$SE&skn=device" \
//!   -H "iothub-contenttype: application/json" -H "iothub-contentencoding: utf-8" \
//!   -d '{"temperature":21.5,"humidity":40}'
//!
//! curl "http://127.0.0.1:7072/\$events/fieldcast/partitions/0?from=0&max=10&wait=1000"
//! ```
//!
//! # Where it differs from IoT Hub
//!
//! - Names of application properties that come as headers arrive in lower case; inside a batch they keep their case.
//! - Error texts say what is wrong with a token; IoT Hub says `Unauthorized`.
//! - It has no routing, cloud-to-device messages, twins, direct methods, modules, X.509 or registry API.

mod config;
mod error;
mod hub;

mod http;

mod identity;
mod sas;

mod authenticator;
mod message;
mod refusal;

mod faults;
mod intake;
mod throttle;

mod folder;
mod partition;

pub use axum::http::StatusCode;

pub use crate::config::{DEVELOPMENT_KEY, Device, Devices, Durability, HubConfig, Policy, Retention};
pub use crate::error::HubError;
pub use crate::faults::{FaultPoint, Faults};
pub use crate::hub::Hub;
pub use crate::partition::Repair;
