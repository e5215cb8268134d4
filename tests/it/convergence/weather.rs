//! The SignalR service, and what goes wrong with it as the dice fall: it refuses and loses the handler's calls, answers
//! late, drops all its clients and is started anew on its port.

use std::net::SocketAddr;
use std::time::Duration;

use fieldcast_signalr_service::{Service, ServiceConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Why there is a service.
const BACK: &str = "it is back before anybody asks";

/// Troubles that come in turn.
const KINDS: u32 = 8;

pub(crate) struct Weather {
    /// `None` only while it is started anew.
    service: Option<Service>,
    dice: StdRng,
    troubles: u32,
}

async fn start(listen: SocketAddr) -> Service {
    Service::start(ServiceConfig { listen, ..ServiceConfig::default() }).await.unwrap()
}

impl Weather {
    /// Fine weather, at first.
    pub(crate) async fn start(seed: u64) -> Weather {
        let service = Some(start("127.0.0.1:0".parse().unwrap()).await);
        Weather { service, dice: StdRng::seed_from_u64(seed), troubles: 0 }
    }

    pub(crate) fn connection_string(&self) -> String {
        self.service().connection_string()
    }

    /// Perhaps something goes wrong: the dice say when and how badly; what it is comes in turn.
    pub(crate) async fn trouble(&mut self) {
        if !self.dice.random_ratio(1, 8) {
            return;
        }
        let times = self.dice.random_range(1..=8);
        let faults = self.service.as_ref().expect(BACK).faults();
        self.troubles += 1;
        match self.troubles % KINDS {
            0 | 4 => faults.fail_next(times, [429, 500, 503][times % 3]),
            1 => faults.cut_clients(),
            2 => faults.drop_next_before_effect(times),
            3 => self.restart().await,
            5 => faults.delay_replies(Duration::from_millis(100)),
            6 => faults.drop_next_after_effect(times),
            _ => faults.delay_replies(Duration::ZERO),
        }
    }

    /// Ends the troubles with a service that knows nobody.
    pub(crate) async fn clear(&mut self) {
        self.service().faults().clear();
        self.restart().await;
    }

    pub(crate) fn troubles(&self) -> u32 {
        self.troubles
    }

    /// Every kind of trouble was there.
    pub(crate) fn was_bad(&self) -> bool {
        self.troubles >= KINDS
    }

    pub(crate) async fn stop(mut self) {
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }

    fn service(&self) -> &Service {
        self.service.as_ref().expect(BACK)
    }

    async fn restart(&mut self) {
        let address = self.service().address();
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
        self.service = Some(start(address).await);
    }
}
