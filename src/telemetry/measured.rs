//! A measured value: nearly always a number, sometimes a text such as `open`, or yes or no. Pure data.

use std::fmt;

use serde::{Serialize, Serializer};

/// One value of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A finite number, in the measurement's unit.
    Number(f64),
    /// A text. Boxed: it is rare, and ten thousand devices with numbers should not pay for it.
    Text(Box<str>),
    /// Yes or no.
    Flag(bool),
}

impl Measured {
    /// The number, of a measurement that has one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Measured::Number(number) => Some(*number),
            Measured::Text(_) | Measured::Flag(_) => None,
        }
    }

    /// Bytes of a text.
    pub fn text_length(&self) -> usize {
        match self {
            Measured::Text(text) => text.len(),
            Measured::Number(_) | Measured::Flag(_) => 0,
        }
    }
}

impl From<f64> for Measured {
    fn from(number: f64) -> Measured {
        Measured::Number(number)
    }
}

impl From<&str> for Measured {
    fn from(text: &str) -> Measured {
        Measured::Text(text.into())
    }
}

impl From<bool> for Measured {
    fn from(flag: bool) -> Measured {
        Measured::Flag(flag)
    }
}

impl PartialEq<f64> for Measured {
    fn eq(&self, other: &f64) -> bool {
        self.as_number() == Some(*other)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measured::Number(number) => number.fmt(out),
            Measured::Text(text) => write!(out, "{text:?}"),
            Measured::Flag(flag) => flag.fmt(out),
        }
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Measured::Number(number) => serializer.serialize_f64(*number),
            Measured::Text(text) => serializer.serialize_str(text),
            Measured::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}
