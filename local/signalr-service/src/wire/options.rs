//! The query parameters of a REST call: version, application, exclusions, reason, durations, pages.

use super::listing::PageRequest;
use super::query::Query;
use super::route::{Api, DATED_VERSIONS, RestCall};
use crate::names::{ConnectionId, HubName};
use crate::world::JoinDuration;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The longest lifetime of a token in minutes: the largest number that the service's interface description allows.
const LONGEST: u32 = i32::MAX as u32;

/// The checked options of a call. Every operation uses some of them.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) hub: HubName,
    pub(crate) excluded: HashSet<ConnectionId>,
    pub(crate) reason: Option<String>,
    pub(crate) duration: JoinDuration,
    pub(crate) page: PageRequest,
    pub(crate) user: Option<String>,
    /// How long a token is valid.
    pub(crate) lifetime: Duration,
}

/// What is wrong with a query, for its sender.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuery {
    #[error("the query must be percent-encoded UTF-8")]
    NotText,
    #[error("the query parameter {0} may be given once")]
    Repeated(&'static str),
    #[error(
        "the query must name an api-version; known are 2022-06-01, 2022-11-01, 2023-07-01 and 2024-12-01"
    )]
    Version,
    #[error("the operation needs the api-version {0} or a newer one")]
    TooOld(&'static str),
    #[error("the hub or the application name is invalid")]
    Hub,
    #[error("maxpagesize must be a whole number from 1 to 200")]
    PageSize,
    #[error("top must be a whole number, one or more")]
    Top,
    #[error("minutesToExpire must be a whole number, one or more")]
    Minutes,
    #[error("ttl must be a whole number of seconds, zero or more")]
    Ttl,
}

pub(crate) fn read(call: &RestCall, raw: &str) -> Result<Options, BadQuery> {
    let query = Query::parse(raw).map_err(|_| BadQuery::NotText)?;
    let one = |name| query.one(name).map_err(|_| BadQuery::Repeated(name));
    let application = match call.api {
        Api::V1 => None,
        Api::Dated => {
            let version = one("api-version")?.ok_or(BadQuery::Version)?;
            if !DATED_VERSIONS.contains(&version) {
                return Err(BadQuery::Version);
            }
            let since = call.operation.since();
            // Dates of this form can be compared as texts.
            if version < since {
                return Err(BadQuery::TooOld(since));
            }
            one("application")?.filter(|application| !application.is_empty())
        }
    };
    Ok(Options {
        hub: HubName::of_call(application, &call.hub).ok_or(BadQuery::Hub)?,
        excluded: query.all("excluded").map(|id| ConnectionId(id.into())).collect(),
        reason: one("reason")?.map(str::to_owned),
        duration: duration(one("ttl")?)?,
        page: PageRequest {
            size: number(one("maxpagesize")?, BadQuery::PageSize, 1..=PageRequest::LARGEST)?
                .unwrap_or(PageRequest::LARGEST),
            top: number(one("top")?, BadQuery::Top, 1..=usize::MAX)?,
            after: one("continuationToken")?.map(str::to_owned),
        },
        user: one("userId")?.map(str::to_owned),
        lifetime: MINUTE * number(one("minutesToExpire")?, BadQuery::Minutes, 1..=LONGEST)?.unwrap_or(60),
    })
}

fn number<T: FromStr + PartialOrd>(
    text: Option<&str>,
    refusal: BadQuery,
    range: RangeInclusive<T>,
) -> Result<Option<T>, BadQuery> {
    let Some(text) = text else { return Ok(None) };
    text.parse().ok().filter(|number| range.contains(number)).map(Some).ok_or(refusal)
}

fn duration(ttl: Option<&str>) -> Result<JoinDuration, BadQuery> {
    match ttl.map(str::parse) {
        None => Ok(JoinDuration::Default),
        Some(Ok(0)) => Ok(JoinDuration::PresentConnections),
        Some(Ok(seconds)) => Ok(JoinDuration::For(Duration::from_secs(seconds))),
        Some(Err(_)) => Err(BadQuery::Ttl),
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::Operation;
    use super::*;
    use crate::world::Target;

    fn options(api: Api, query: &str) -> Result<Options, BadQuery> {
        read(&RestCall { api, hub: "Chat".into(), operation: Operation::Send(Target::All) }, query)
    }

    #[test]
    fn a_dated_call_needs_a_known_version_and_may_name_an_application() {
        let hub = |query| options(Api::Dated, query).map(|options| options.hub.as_str().to_owned());
        assert_eq!(hub("api-version=2022-06-01").as_deref(), Ok("chat"));
        assert_eq!(hub("API-Version=2024-12-01&Application=App").as_deref(), Ok("app_chat"));
        assert_eq!(hub(""), Err(BadQuery::Version));
        assert_eq!(hub("api-version=2021-01-01"), Err(BadQuery::Version));
        assert_eq!(hub("api-version=2022-06-01&application=1"), Err(BadQuery::Hub));
        assert_eq!(
            hub("api-version=2022-06-01&api-version=2022-06-01"),
            Err(BadQuery::Repeated("api-version"))
        );
    }

    #[test]
    fn an_operation_is_unknown_to_versions_before_it() {
        let invoke = |version: &str| {
            let operation = Operation::Invoke(ConnectionId("c".into()));
            let call = RestCall { api: Api::Dated, hub: "chat".into(), operation };
            read(&call, &format!("api-version={version}")).map(|_| ())
        };
        assert_eq!(invoke("2023-07-01"), Err(BadQuery::TooOld("2024-12-01")));
        assert_eq!(invoke("2024-12-01"), Ok(()));
    }

    #[test]
    fn exclusions_repeat_and_the_rest_does_not() {
        let options = options(Api::V1, "excluded=a&Excluded=b&reason=bye+now").unwrap();
        assert_eq!(options.excluded.len(), 2);
        assert_eq!(options.reason.as_deref(), Some("bye now"));
    }

    #[test]
    fn numbers_have_their_ranges() {
        let read = |query| {
            options(Api::V1, query).map(|options| (options.page.size, options.page.top, options.lifetime))
        };
        assert_eq!(read(""), Ok((200, None, 60 * MINUTE)));
        assert_eq!(read("maxPageSize=1&top=2&minutesToExpire=3"), Ok((1, Some(2), 3 * MINUTE)));
        for (bad, refusal) in [
            ("maxpagesize=0", BadQuery::PageSize),
            ("maxpagesize=201", BadQuery::PageSize),
            ("top=0", BadQuery::Top),
            ("top=-1", BadQuery::Top),
            ("minutesToExpire=0", BadQuery::Minutes),
            ("minutesToExpire=2147483648", BadQuery::Minutes),
        ] {
            assert_eq!(read(bad), Err(refusal), "{bad}");
        }
    }

    #[test]
    fn a_ttl_is_a_number_of_seconds() {
        let duration = |query| options(Api::V1, query).map(|options| options.duration);
        assert_eq!(duration(""), Ok(JoinDuration::Default));
        assert_eq!(duration("ttl=0"), Ok(JoinDuration::PresentConnections));
        assert_eq!(duration("TTL=90"), Ok(JoinDuration::For(Duration::from_secs(90))));
        for bad in ["ttl=", "ttl=-1", "ttl=1.5", "ttl=x", "ttl=99999999999999999999999"] {
            assert_eq!(duration(bad), Err(BadQuery::Ttl), "{bad}");
        }
    }
}
