//! Where the simulated devices are: areas around Sydney, with usual values for a spring day.

/// An area and its usual weather.
pub(super) struct Area {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// °C.
    pub(super) temperature: f64,
    /// Percent.
    pub(super) humidity: f64,
    /// hPa, about 1 less for every 8 m of height.
    pub(super) pressure: f64,
}

pub(super) const AREAS: [Area; 6] = [
    Area {
        id: "bondi",
        name: "Bondi",
        latitude: -33.8915,
        longitude: 151.2767,
        temperature: 21.0,
        humidity: 68.0,
        pressure: 1014.0,
    },
    Area {
        id: "manly",
        name: "Manly",
        latitude: -33.7969,
        longitude: 151.2841,
        temperature: 21.5,
        humidity: 66.0,
        pressure: 1014.0,
    },
    Area {
        id: "newtown",
        name: "Newtown",
        latitude: -33.8981,
        longitude: 151.1741,
        temperature: 23.0,
        humidity: 58.0,
        pressure: 1010.0,
    },
    Area {
        id: "parramatta",
        name: "Parramatta",
        latitude: -33.8150,
        longitude: 151.0011,
        temperature: 25.5,
        humidity: 48.0,
        pressure: 1012.0,
    },
    Area {
        id: "penrith",
        name: "Penrith",
        latitude: -33.7511,
        longitude: 150.6942,
        temperature: 27.0,
        humidity: 41.0,
        pressure: 1010.0,
    },
    Area {
        id: "katoomba",
        name: "Katoomba",
        latitude: -33.7125,
        longitude: 150.3119,
        temperature: 16.0,
        humidity: 62.0,
        pressure: 899.0,
    },
];
