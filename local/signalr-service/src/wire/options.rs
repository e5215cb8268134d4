//! What a REST call says in its query beside the path: version, application, exclusions, reason, times, pages.

use super::listing::Page;
use super::query::Query;
use super::route::{Api, Call, DATED_VERSIONS};
use crate::names::{ConnectionId, HubName};
use crate::world::Stay;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Minutes of a token: the largest number that the service's interface description allows.
const LONGEST: u32 = i32::MAX as u32;

/// The checked options of a call. Those the operation does not use are not looked at by it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) hub: HubName,
    pub(crate) excluded: HashSet<ConnectionId>,
    pub(crate) reason: Option<String>,
    pub(crate) stay: Stay,
    pub(crate) page: Page,
    pub(crate) user: Option<String>,
    /// How long a token is good.
    pub(crate) lifetime: Duration,
}

/// What is wrong with a query, in words for its author.
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

pub(crate) fn read(call: &Call, raw: &str) -> Result<Options, BadQuery> {
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
            // Dates in this form sort as texts.
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
        stay: stay(one("ttl")?)?,
        page: Page {
            size: number(one("maxpagesize")?, BadQuery::PageSize, 1..=Page::LARGEST)?
                .unwrap_or(Page::LARGEST),
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

fn stay(ttl: Option<&str>) -> Result<Stay, BadQuery> {
    match ttl.map(str::parse) {
        None => Ok(Stay::Default),
        Some(Ok(0)) => Ok(Stay::PresentConnections),
        Some(Ok(seconds)) => Ok(Stay::For(Duration::from_secs(seconds))),
        Some(Err(_)) => Err(BadQuery::Ttl),
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::Operation;
    use super::*;
    use crate::world::Target;

    fn options(api: Api, query: &str) -> Result<Options, BadQuery> {
        read(&Call { api, hub: "Chat".into(), operation: Operation::Send(Target::All) }, query)
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
            let call = Call { api: Api::Dated, hub: "chat".into(), operation };
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
        let stay = |query| options(Api::V1, query).map(|options| options.stay);
        assert_eq!(stay(""), Ok(Stay::Default));
        assert_eq!(stay("ttl=0"), Ok(Stay::PresentConnections));
        assert_eq!(stay("TTL=90"), Ok(Stay::For(Duration::from_secs(90))));
        for bad in ["ttl=", "ttl=-1", "ttl=1.5", "ttl=x", "ttl=99999999999999999999999"] {
            assert_eq!(stay(bad), Err(BadQuery::Ttl), "{bad}");
        }
    }
}
