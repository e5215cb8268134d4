//! The timer trigger of a function: when it is due.

use super::bindings::text_of;
use crate::{
    HostError,
    app::{fields::Field, schedule::Schedule, settings::Settings},
};

#[derive(Clone, Debug)]
pub(crate) struct TimerTrigger {
    /// Name of the binding in `Data`.
    pub(crate) binding: String,
    pub(crate) schedule: Schedule,
    /// Whether each start of the host calls the function.
    pub(crate) run_on_startup: bool,
    /// Whether the host remembers the status, so that a tick missed while it was down comes late. A schedule of several
    /// times a minute is never remembered.
    pub(crate) use_monitor: bool,
}

impl TimerTrigger {
    pub(super) fn parse(binding: &Field<'_>, settings: &Settings) -> Result<TimerTrigger, HostError> {
        let field = binding.require(&["schedule"])?;
        let unset = |name| format!("{} needs the setting {name}, which is not set", field.path());
        let text = settings.expand(field.text()?).map_err(|name| field.complain(&unset(name)))?;
        let schedule = Schedule::parse(&text).ok_or_else(|| field.must_be(EXPECTED))?;
        let flag = |name: &str, usual| binding.find(&[name])?.map_or(Ok(usual), |field| field.flag());
        Ok(TimerTrigger {
            binding: text_of("name")(binding)?,
            schedule,
            run_on_startup: flag("runOnStartup", false)?,
            use_monitor: flag("useMonitor", true)?,
        })
    }
}

const EXPECTED: &str = "an NCRONTAB expression of six fields, seconds first (\"0 17 3 * * *\"), or a time span \
                        (\"00:05:00\")";
