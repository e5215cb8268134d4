//! Endpoints from application settings: (name, value) pairs in, named endpoints out. Reads no environment itself.
//!
//! Names follow the Functions SignalR binding: one default setting, and more endpoints as
//! `Azure__SignalR__Endpoints__<name>[__primary|__secondary]`.

use crate::connection_string::ConnectionStringError;
use crate::endpoint::Endpoint;

/// The setting that the Functions SignalR binding reads when none is named.
pub const DEFAULT_SETTING: &str = "AzureSignalRConnectionString";

/// `__` separates sections in environment variables, `:` everywhere else; names ignore letter case.
const SECTION: &str = "azure:signalr:endpoints:";
const SERVICE_URI: &str = ":serviceuri";

/// What an endpoint is for when there are several.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Takes new clients and every message.
    Primary,
    /// Takes every message, and new clients only while no primary is online.
    Secondary,
}

/// An endpoint and where its connection string came from.
#[derive(Clone, Debug)]
pub struct NamedEndpoint {
    /// Name within the settings; empty for the default setting.
    pub name: String,
    /// Primary or secondary.
    pub role: Role,
    /// The setting that holds the connection string, for messages to the operator.
    pub setting: String,
    /// The parsed connection string.
    pub endpoint: Endpoint,
}

impl NamedEndpoint {
    /// The name, or for the unnamed default endpoint its setting.
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.setting } else { &self.name }
    }
}

/// Why the settings give no usable set of endpoints. Names settings, never their values.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No endpoint is configured.
    #[error("setting {setting} is missing: expected Endpoint=https://...;AccessKey=...;Version=1.0;")]
    Missing {
        /// The default setting.
        setting: String,
    },
    /// A setting is not a usable connection string.
    #[error("setting {setting} is not a usable SignalR connection string")]
    Malformed {
        /// The setting's name.
        setting: String,
        /// What is wrong with the value.
        #[source]
        source: ConnectionStringError,
    },
    /// Two settings lead to the same service, which would deliver every message twice.
    #[error("settings {first} and {second} name the same SignalR Service")]
    SameService {
        /// The setting read first.
        first: String,
        /// The setting that repeats it.
        second: String,
    },
}

/// One or more endpoints, no two of the same service.
#[derive(Clone, Debug)]
pub struct Endpoints(Vec<NamedEndpoint>);

impl Endpoints {
    /// Finds and parses every SignalR endpoint among `settings`: the default one first, the others by name.
    ///
    /// Settings that have nothing to do with SignalR are passed over, so a whole environment may be given.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that is wrong, or when there is no endpoint at all.
    pub fn from_settings<N, V>(
        settings: impl IntoIterator<Item = (N, V)>,
        default_setting: &str,
    ) -> Result<Endpoints, SettingError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let placed = |(name, value): (N, V)| {
            let place = Place::of(name.as_ref(), default_setting)?;
            (!value.as_ref().trim().is_empty()).then(|| (place, name.as_ref().to_owned(), value))
        };
        let mut found: Vec<(Place, String, V)> = settings.into_iter().filter_map(placed).collect();
        found.sort_by(|(a, a_setting, _), (b, b_setting, _)| (a, a_setting).cmp(&(b, b_setting)));
        let parsed = found.into_iter().map(|(place, setting, value)| place.endpoint(setting, value.as_ref()));
        let endpoints = parsed.collect::<Result<Vec<_>, _>>()?;
        match endpoints.is_empty() {
            true => Err(SettingError::Missing { setting: default_setting.to_owned() }),
            false => refuse_repeats(&endpoints).map(|()| Endpoints(endpoints)),
        }
    }

    /// All endpoints; never empty.
    pub fn as_slice(&self) -> &[NamedEndpoint] {
        &self.0
    }
}

impl From<Endpoint> for Endpoints {
    /// The single primary endpoint of an application with only the [`DEFAULT_SETTING`].
    fn from(endpoint: Endpoint) -> Endpoints {
        let setting = DEFAULT_SETTING.to_owned();
        Endpoints(vec![NamedEndpoint { name: String::new(), role: Role::Primary, setting, endpoint }])
    }
}

impl IntoIterator for Endpoints {
    type Item = NamedEndpoint;
    type IntoIter = std::vec::IntoIter<NamedEndpoint>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Where a setting belongs; the order is the order of the result. Identity settings come first because they explain
/// why those beside them (`__clientId`) are no connection strings.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Identity,
    Default,
    Named { name: String, secondary: bool },
}

impl Place {
    fn of(setting: &str, default_setting: &str) -> Option<Place> {
        let path = setting.replace("__", ":");
        let folded = path.to_ascii_lowercase();
        let default = default_setting.replace("__", ":").to_ascii_lowercase();
        if folded == default {
            return Some(Place::Default);
        }
        if folded.strip_prefix(&default) == Some(SERVICE_URI) {
            return Some(Place::Identity);
        }
        let rest = &path[folded.strip_prefix(SECTION).map(|_| SECTION.len())?..];
        Some(Place::named(rest))
    }

    fn named(rest: &str) -> Place {
        let (name, tail) = rest.split_once(':').unwrap_or((rest, "primary"));
        if tail.to_ascii_lowercase().ends_with(&SERVICE_URI[1..]) {
            return Place::Identity;
        }
        let secondary = tail.eq_ignore_ascii_case("secondary");
        let known = secondary || tail.eq_ignore_ascii_case("primary");
        Place::Named { name: (if known { name } else { rest }).to_owned(), secondary }
    }

    fn endpoint(self, setting: String, value: &str) -> Result<NamedEndpoint, SettingError> {
        let (name, role) = match self {
            Place::Default => (String::new(), Role::Primary),
            Place::Named { name, secondary: false } => (name, Role::Primary),
            Place::Named { name, secondary: true } => (name, Role::Secondary),
            Place::Identity => {
                return Err(SettingError::Malformed {
                    setting,
                    source: ConnectionStringError::IdentityNotSupported,
                });
            }
        };
        match Endpoint::parse(value) {
            Ok(endpoint) => Ok(NamedEndpoint { name, role, setting, endpoint }),
            Err(source) => Err(SettingError::Malformed { setting, source }),
        }
    }
}

fn refuse_repeats(endpoints: &[NamedEndpoint]) -> Result<(), SettingError> {
    for (index, later) in endpoints.iter().enumerate() {
        let same = |earlier: &&NamedEndpoint| earlier.endpoint.origin() == later.endpoint.origin();
        if let Some(earlier) = endpoints[..index].iter().find(same) {
            return Err(SettingError::SameService {
                first: earlier.setting.clone(),
                second: later.setting.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "sEcReT";

    fn text(host: &str) -> String {
        format!("Endpoint=https://{host};AccessKey={SECRET};Version=1.0;")
    }

    fn read(settings: &[(&str, String)]) -> Result<Vec<(String, Role, String)>, SettingError> {
        let found =
            Endpoints::from_settings(settings.iter().map(|(name, value)| (*name, value)), DEFAULT_SETTING)?;
        Ok(found.into_iter().map(|e| (e.name, e.role, e.endpoint.origin().to_owned())).collect())
    }

    #[test]
    fn default_comes_first_then_the_named_ones_with_their_roles() {
        let found = read(&[
            ("PATH", "/bin".into()),
            ("Azure__SignalR__Endpoints__west__secondary", text("west")),
            ("Azure__SignalR__Endpoints__east", text("east")),
            ("azure:signalr:endpoints:North:Primary", text("north")),
            ("Azure__SignalR__Endpoints__a__b", text("ab")),
            ("AzureSignalRConnectionString", text("main")),
        ])
        .expect("good settings");
        let expected = [
            ("", Role::Primary, "https://main"),
            ("North", Role::Primary, "https://north"),
            ("a:b", Role::Primary, "https://ab"),
            ("east", Role::Primary, "https://east"),
            ("west", Role::Secondary, "https://west"),
        ];
        assert_eq!(found, expected.map(|(name, role, origin)| (name.to_owned(), role, origin.to_owned())));
    }

    #[test]
    fn named_endpoints_suffice_without_the_default() {
        let found =
            read(&[("Azure__SignalR__Endpoints__east__primary", text("east"))]).expect("good settings");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn nothing_configured_names_the_default_setting() {
        let missing = Err(SettingError::Missing { setting: DEFAULT_SETTING.to_owned() });
        assert_eq!(read(&[]), missing);
        assert_eq!(read(&[(DEFAULT_SETTING, "  ".into())]), missing);
    }

    #[test]
    fn a_bad_value_is_named_by_its_setting_and_never_shown() {
        let setting = "Azure__SignalR__Endpoints__west__secondary";
        let error =
            read(&[(setting, format!("Endpoint=nowhere;AccessKey={SECRET}"))]).expect_err("a bad value");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(setting), "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains("nowhere"), "{shown}");
    }

    #[test]
    fn identity_sections_are_refused_by_name() {
        for setting in
            ["AzureSignalRConnectionString__serviceUri", "Azure__SignalR__Endpoints__east__ServiceUri"]
        {
            let refused = SettingError::Malformed {
                setting: setting.to_owned(),
                source: ConnectionStringError::IdentityNotSupported,
            };
            let client = "Azure__SignalR__Endpoints__east__clientId";
            assert_eq!(read(&[(client, "1".into()), (setting, "https://x".into())]), Err(refused));
        }
    }

    #[test]
    fn the_same_service_twice_is_refused() {
        let error = read(&[(DEFAULT_SETTING, text("main")), ("Azure__SignalR__Endpoints__x", text("MAIN"))]);
        assert!(matches!(error, Err(SettingError::SameService { .. })), "{error:?}");
    }
}
