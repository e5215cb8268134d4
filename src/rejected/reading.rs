//! Why a reading is rejected: a stable code and a sentence. Pure.

/// Why a reading was rejected; stable codes that dashboards and scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No text in an encoding that is read, no JSON, empty, nested too deep, or too large when unpacked.
    Unreadable,
    /// JSON of another shape: no object, a string for a number. A unit that is not known.
    WrongType,
    /// One field twice, under one or several spellings.
    DuplicateField,
    /// A text beyond its limit, or with characters that cannot be kept.
    BadText,
    /// More readings in one body than any device sends.
    TooMany,
    /// No device id, or one that is too long or has control characters.
    DeviceId,
    /// No measurement, no area and no ignored member of the catalogue is in it. The detail names its members.
    NothingKnown,
    /// A value outside its valid range after calibration.
    OutOfRange,
    /// The device's calibration of a measurement cannot be read, so nobody knows the value. Mend the calibration row, then
    /// send again.
    Calibration,
    /// The device's row cannot be read, so nobody knows what has been counted. Repair the row, then send again.
    DamagedState,
    /// The store does not take the device's row, for a reason that the detail repeats.
    NotStored,
}

impl Reason {
    /// The code as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable",
            Reason::WrongType => "wrong_type",
            Reason::DuplicateField => "duplicate_field",
            Reason::BadText => "bad_text",
            Reason::TooMany => "too_many",
            Reason::DeviceId => "device_id",
            Reason::NothingKnown => "nothing_known",
            Reason::OutOfRange => "out_of_range",
            Reason::Calibration => "calibration",
            Reason::DamagedState => "damaged_state",
            Reason::NotStored => "not_stored",
        }
    }

    /// The reason with this code.
    pub fn of_code(code: &str) -> Option<Reason> {
        let all = [
            Reason::Unreadable,
            Reason::WrongType,
            Reason::DuplicateField,
            Reason::BadText,
            Reason::TooMany,
            Reason::DeviceId,
            Reason::NothingKnown,
            Reason::OutOfRange,
            Reason::Calibration,
            Reason::DamagedState,
            Reason::NotStored,
        ];
        all.into_iter().find(|reason| reason.code() == code)
    }
}

/// Why one reading cannot be counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The kind.
    pub reason: Reason,
    /// A sentence for a person: which field, what was found, what is expected.
    pub detail: String,
    /// The device as claimed, where one is known; may be unusable as a key.
    pub device: Option<String>,
}

impl Rejection {
    /// A rejection of a device that is not known yet.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Rejection {
        Rejection { reason, detail: detail.into(), device: None }
    }
}
