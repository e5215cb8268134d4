//! One typed value of a property, as the service's data model knows them.

/// The value of a property.
///
/// Readers of rows that others wrote should use the `as_…` methods, as the same column can hold different
/// types: a factor of exactly 2 that a script wrote without decimal point is an [`Value::Int32`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `Edm.String`, at most 64 KiB of UTF-16.
    String(String),
    /// `Edm.Double`; NaN and infinities can be read, but are refused on writing.
    Double(f64),
    /// `Edm.Int32`.
    Int32(i32),
    /// `Edm.Int64`, exact.
    Int64(i64),
    /// `Edm.Boolean`.
    Bool(bool),
    /// `Edm.DateTime`: RFC 3339 text in UTC such as `2026-11-21T03:00:00.1234567Z`, from the year 1601 on and
    /// to 100 ns. It is text, so that what was read is written back unchanged.
    DateTime(String),
    /// `Edm.Binary`, at most 64 KiB.
    Binary(Vec<u8>),
    /// `Edm.Guid`: 8-4-4-4-12 hexadecimal digits.
    Guid(String),
}

impl Value {
    /// The value as a finite number. Text that is a number counts, as rows edited by hand often hold it.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        let number = match self {
            Value::Double(number) => *number,
            Value::Int32(number) => f64::from(*number),
            // A reading far beyond 2^53 does not need its last digit; counters are read with `as_i64`.
            Value::Int64(number) => *number as f64,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// The value as a whole number, if it is exactly one. Text that is a whole number counts.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        /// From here on a double can stand for more than one whole number.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Value::Int32(number) => Some(i64::from(*number)),
            Value::Int64(number) => Some(*number),
            Value::Double(number) if number.fract() == 0.0 && number.abs() < EXACT => Some(*number as i64),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The text of a string, time or GUID.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) | Value::DateTime(text) | Value::Guid(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes of a binary value.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value.into())
            }
        }
    )*};
}

from!(&str => String, String => String, f64 => Double, i32 => Int32, i64 => Int64, bool => Bool, Vec<u8> => Binary);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_kind_of_number_is_a_number() {
        for value in [Value::Int32(2), Value::Int64(2), Value::Double(2.0), Value::from(" 2 ")] {
            assert_eq!((value.as_f64(), value.as_i64()), (Some(2.0), Some(2)), "{value:?}");
        }
        assert_eq!(Value::from("2.5").as_f64(), Some(2.5));
    }

    #[test]
    fn what_is_not_exactly_a_number_is_none() {
        for value in [f64::NAN, f64::INFINITY].map(Value::Double) {
            assert_eq!((value.as_f64(), value.as_i64()), (None, None));
        }
        assert_eq!(Value::from("NaN").as_f64(), None);
        assert_eq!(Value::from("warm").as_f64(), None);
        assert_eq!(Value::Bool(true).as_f64(), None);
        assert_eq!(Value::Double(2.5).as_i64(), None);
        assert_eq!(Value::Double(1e300).as_i64(), None);
        assert_eq!(Value::Int64(i64::MAX).as_i64(), Some(i64::MAX));
    }
}
