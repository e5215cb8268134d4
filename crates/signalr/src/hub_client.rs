//! The clients of one hub: every call, and which endpoints it goes to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use http::Method;
use tokio::time::Instant;

use crate::client_access::{ClientAccess, ClientClaims, client_access};
use crate::endpoint::Endpoint;
use crate::health::{Effort, choose};
use crate::message::Message;
use crate::names::HubName;
use crate::request::{Membership, Place, Request, Resend, Target};
use crate::route::{Route, Wire};
use crate::send_error::{EndpointFailure, EndpointFailures, SendError};
use crate::settings::{Endpoints, NamedEndpoint};
use crate::token::TokenError;
use crate::transport::Transport;

/// Longer than any call lasts, and short enough that `Duration::MAX` does not run over the end of the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// One hub at one or more endpoints. Clones share connections and what is known about the endpoints.
///
/// Every call takes the time it may last, tries and waits included.
#[derive(Clone, Debug)]
pub struct HubClient {
    wire: Wire,
    hub: HubName,
    routes: Arc<[Route]>,
}

/// Whether sends currently go to an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// It answered last time, or has not been tried.
    Online,
    /// It has been silent repeatedly; sends pass over it for a few seconds at a time.
    Offline,
}

type Outcome<'a> = (&'a Route, Result<(), SendError>);

impl HubClient {
    /// A hub at a single endpoint.
    pub fn new(http: reqwest::Client, endpoint: Endpoint, hub: HubName) -> HubClient {
        HubClient::with_endpoints(http, endpoint.into(), hub)
    }

    /// A hub at several endpoints. Messages go to all of them, because clients may sit at any.
    pub fn with_endpoints(http: reqwest::Client, endpoints: Endpoints, hub: HubName) -> HubClient {
        HubClient::with_transport(Arc::new(http), endpoints, hub)
    }

    /// A hub whose requests go over something else than reqwest.
    pub fn with_transport(transport: Arc<dyn Transport>, endpoints: Endpoints, hub: HubName) -> HubClient {
        HubClient { wire: Wire::new(transport), hub, routes: endpoints.into_iter().map(Route::new).collect() }
    }

    /// Takes the numbers from 0 to 1 that spread tries over time from `jitter` instead of the thread's generator, for
    /// runs that must be the same twice.
    #[must_use]
    pub fn with_jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> HubClient {
        self.wire.jitter = Arc::new(jitter);
        self
    }

    /// Sends a message to clients; not reported is whether there was any.
    ///
    /// Of several endpoints those that are [`Presence::Offline`] are passed over, unless all are.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn send(
        &self,
        to: Target<'_>,
        message: &Message,
        resend: Resend,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let request = Request::send(&self.hub, to, message, resend)?;
        self.failures(self.call_each(self.admitted(), &request, timeout).await)
    }

    /// Closes connections, telling clients the reason. Closing what has gone succeeds.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn close(
        &self,
        whom: Target<'_>,
        reason: Option<&str>,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let request = Request::close(&self.hub, whom, reason)?;
        match whom {
            Target::Connection(_) => absent_is_fine(self.any(&request, timeout).await),
            _ => self.clear_everywhere(&request, timeout).await,
        }
    }

    /// Puts a connection into a group, which it leaves when it ends.
    ///
    /// # Errors
    /// [`SendError::NotFound`] when no endpoint knows the connection.
    pub async fn add_connection_to_group(
        &self,
        connection: &str,
        group: &str,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let place = Place::ConnectionInGroup(connection, group);
        self.any(&Request::at(Method::PUT, &self.hub, place)?, timeout).await
    }

    /// Takes a connection out of a group; succeeds when it is not in there.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn remove_connection_from_group(
        &self,
        connection: &str,
        group: &str,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let place = Place::ConnectionInGroup(connection, group);
        absent_is_fine(self.any(&Request::at(Method::DELETE, &self.hub, place)?, timeout).await)
    }

    /// Takes a connection out of every group.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn remove_connection_from_all_groups(
        &self,
        connection: &str,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let place = Place::GroupsOfConnection(connection);
        absent_is_fine(self.any(&Request::at(Method::DELETE, &self.hub, place)?, timeout).await)
    }

    /// Puts a user into a group, at every endpoint. The service applies it a moment later.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn add_user_to_group(
        &self,
        user: &str,
        group: &str,
        membership: Membership,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let request = Request::at(Method::PUT, &self.hub, Place::UserInGroup(user, group))?;
        self.everywhere(&request.lasting(membership), timeout).await
    }

    /// Takes a user out of a group, at every endpoint.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn remove_user_from_group(
        &self,
        user: &str,
        group: &str,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let request = Request::at(Method::DELETE, &self.hub, Place::UserInGroup(user, group))?;
        self.clear_everywhere(&request, timeout).await
    }

    /// Takes a user out of every group, at every endpoint.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn remove_user_from_all_groups(&self, user: &str, timeout: Duration) -> Result<(), SendError> {
        let request = Request::at(Method::DELETE, &self.hub, Place::GroupsOfUser(user))?;
        self.clear_everywhere(&request, timeout).await
    }

    /// Whether a connection is open at any endpoint.
    ///
    /// # Errors
    /// [`SendError`] when no endpoint knows it and not all could be asked.
    pub async fn connection_exists(&self, connection: &str, timeout: Duration) -> Result<bool, SendError> {
        self.exists(Place::Connection(connection), timeout).await
    }

    /// Whether a user has a connection at any endpoint.
    ///
    /// # Errors
    /// [`SendError`] when no endpoint knows the user and not all could be asked.
    pub async fn user_exists(&self, user: &str, timeout: Duration) -> Result<bool, SendError> {
        self.exists(Place::User(user), timeout).await
    }

    /// Whether a group has a member at any endpoint.
    ///
    /// # Errors
    /// [`SendError`] when no endpoint knows the group and not all could be asked.
    pub async fn group_exists(&self, group: &str, timeout: Duration) -> Result<bool, SendError> {
        self.exists(Place::Group(group), timeout).await
    }

    /// Whether a user is in a group at any endpoint.
    ///
    /// # Errors
    /// [`SendError`] when no endpoint says so and not all could be asked.
    pub async fn user_in_group(&self, user: &str, group: &str, timeout: Duration) -> Result<bool, SendError> {
        self.exists(Place::UserInGroup(user, group), timeout).await
    }

    /// Asks every endpoint whether it is well; also brings endpoints back that were offline. Shows that the service
    /// is reached, not that the key is right.
    ///
    /// # Errors
    /// [`SendError`]; with several endpoints [`SendError::Endpoints`] tells which failed.
    pub async fn health(&self, timeout: Duration) -> Result<(), SendError> {
        self.everywhere(&Request::health(), timeout).await
    }

    /// Answers a negotiate request: picks an online primary endpoint, else an online secondary one, and signs the
    /// client in there. `choice` is a random number that spreads clients over endpoints of the same kind.
    ///
    /// # Errors
    /// [`TokenError`] when the claims cannot be carried.
    pub fn negotiate(
        &self,
        claims: &ClientClaims,
        now: SystemTime,
        choice: usize,
    ) -> Result<ClientAccess, TokenError> {
        let candidates: Vec<_> =
            self.routes.iter().map(|route| (route.named.role, route.record().is_online())).collect();
        let chosen = choose(&candidates, choice).expect("there is at least one endpoint");
        client_access(&self.routes[chosen].named.endpoint, &self.hub, claims, now)
    }

    /// The endpoints and whether sends go there at present.
    pub fn endpoints(&self) -> impl Iterator<Item = (&NamedEndpoint, Presence)> {
        self.routes.iter().map(|route| {
            let online = route.record().is_online();
            (&route.named, if online { Presence::Online } else { Presence::Offline })
        })
    }

    async fn exists(&self, place: Place<'_>, timeout: Duration) -> Result<bool, SendError> {
        let request = Request::at(Method::HEAD, &self.hub, place)?;
        match self.any(&request, timeout).await {
            Ok(()) => Ok(true),
            Err(SendError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The endpoints that a message goes to. A lone endpoint is always tried, and so are all when none is online.
    fn admitted(&self) -> Vec<(&Route, Effort)> {
        let now = Instant::now();
        let online: Vec<_> = match &*self.routes {
            [_] => Vec::new(),
            several => several.iter().filter_map(|route| Some((route, route.record().admit(now)?))).collect(),
        };
        if online.is_empty() { self.all() } else { online }
    }

    fn all(&self) -> Vec<(&Route, Effort)> {
        self.routes.iter().map(|route| (route, Effort::Full)).collect()
    }

    async fn everywhere(&self, request: &Request, timeout: Duration) -> Result<(), SendError> {
        self.failures(self.call_each(self.all(), request, timeout).await)
    }

    /// For removals: an endpoint where there is nothing to remove has done its part.
    async fn clear_everywhere(&self, request: &Request, timeout: Duration) -> Result<(), SendError> {
        let outcomes = self.call_each(self.all(), request, timeout).await;
        self.failures(outcomes.into_iter().map(|(route, result)| (route, absent_is_fine(result))).collect())
    }

    /// Succeeds as soon as one endpoint does; "not found" only when all of them say so.
    async fn any(&self, request: &Request, timeout: Duration) -> Result<(), SendError> {
        let deadline = deadline(timeout);
        let call = |route| self.outcome(route, Effort::Full, request, deadline);
        let mut calls: FuturesUnordered<_> = self.routes.iter().map(call).collect();
        let (mut absent, mut failed) = (None, Vec::new());
        while let Some((route, result)) = calls.next().await {
            match result {
                Ok(()) => return Ok(()),
                Err(SendError::NotFound { .. }) => absent = Some(result),
                Err(_) => failed.push((route, result)),
            }
        }
        match absent {
            Some(absent) if failed.is_empty() => absent,
            _ => self.failures(failed),
        }
    }

    fn failures(&self, outcomes: Vec<Outcome<'_>>) -> Result<(), SendError> {
        let tried = outcomes.len();
        let failure = |(route, result): Outcome<'_>| {
            Some(EndpointFailure { endpoint: route.named.label().to_owned(), error: result.err()? })
        };
        let mut failed: Vec<_> = outcomes.into_iter().filter_map(failure).collect();
        if self.routes.len() == 1 {
            return failed.pop().map_or(Ok(()), |failure| Err(failure.error));
        }
        match failed.len() {
            0 => Ok(()),
            count => Err(EndpointFailures { succeeded: tried - count, failed }.into()),
        }
    }

    async fn call_each<'a>(
        &self,
        routes: Vec<(&'a Route, Effort)>,
        request: &Request,
        timeout: Duration,
    ) -> Vec<Outcome<'a>> {
        let deadline = deadline(timeout);
        let call = |(route, effort)| self.outcome(route, effort, request, deadline);
        join_all(routes.into_iter().map(call)).await
    }

    async fn outcome<'a>(
        &self,
        route: &'a Route,
        effort: Effort,
        request: &Request,
        deadline: Instant,
    ) -> Outcome<'a> {
        (route, route.call(&self.wire, request, effort, deadline).await)
    }
}

fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(LONGEST)
}

fn absent_is_fine(result: Result<(), SendError>) -> Result<(), SendError> {
    match result {
        Err(SendError::NotFound { .. }) => Ok(()),
        other => other,
    }
}
