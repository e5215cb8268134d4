//! Screens: what each follows, and when somebody opens it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::scenario::Moment;

/// The areas that devices say they are in.
pub(super) const AREAS: [&str; 2] = ["north", "south"];

/// What a screen shows. Both lists empty: everything.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Following {
    /// Whole areas.
    pub areas: Vec<String>,
    /// Single devices.
    pub devices: Vec<String>,
}

impl Following {
    fn area(area: &str) -> Following {
        Following { areas: vec![area.to_owned()], devices: Vec::new() }
    }

    /// Up to two of these devices.
    fn some_of(dice: &mut Dice, devices: &[String]) -> Following {
        let mut one = || devices[dice.index(devices.len())].clone();
        let mut devices = vec![one(), one()];
        devices.dedup();
        Following { areas: Vec::new(), devices }
    }

    pub(crate) fn any(dice: &mut Dice, devices: &[String]) -> Following {
        match dice.below(4) {
            0 => Following::default(),
            1 => Following::some_of(dice, devices),
            2 => Following::area(dice.pick(&AREAS)),
            _ => Following { areas: vec![dice.pick(&AREAS).to_owned()], ..Following::some_of(dice, devices) },
        }
    }

    /// Whether a device in an area, or in none, is among what is followed.
    pub fn takes(&self, device: &str, area: Option<&str>) -> bool {
        let everything = self.areas.is_empty() && self.devices.is_empty();
        everything
            || self.devices.iter().any(|followed| followed == device)
            || area.is_some_and(|area| self.areas.iter().any(|followed| followed == area))
    }
}

impl fmt::Display for Following {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.areas.iter().chain(&self.devices).map(String::as_str).collect();
        out.write_str(if all.is_empty() { "everything".into() } else { all.join(", ") }.as_str())
    }
}

/// One screen.
#[derive(Debug)]
pub struct Screen {
    /// What it follows at first.
    pub following: Following,
    /// When somebody opens it.
    pub opens: Moment,
    /// Whether it applies at once what it hears. A page in the background does so when the store answers.
    pub attentive: bool,
    /// Whether it asks the store only until its subscriptions have settled, and relies on announcements from then on.
    pub relies_on_pushes: bool,
}

/// The screens of a run: two that follow everything, one of an area, one of single devices, and two that rely on
/// announcements, of an area and of single devices. Some are open before there is anything to see, the others are opened
/// shortly before some of the last messages arrive.
pub(super) fn screens(dice: &mut Dice, devices: &[String], last: &[Moment]) -> Vec<Screen> {
    let relying = if dice.percent(25) { Following::default() } else { Following::area(dice.pick(&AREAS)) };
    let all = [
        Following::default(),
        Following::default(),
        Following::area(AREAS[0]),
        Following::some_of(dice, devices),
        relying,
        Following::some_of(dice, devices),
    ];
    let screen = |(number, following)| Screen {
        following,
        opens: match dice.percent(40) {
            true => dice.below(500),
            false => dice.pick(last).saturating_sub(dice.below(6_000)),
        },
        attentive: number != 1,
        relies_on_pushes: number >= 4,
    };
    all.into_iter().enumerate().map(screen).collect()
}
