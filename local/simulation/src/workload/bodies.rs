//! Bodies as devices send them: valid, out of range under some calibration or under all, and no readings at all.

use serde_json::{Value, json};

use super::message::{Message, Reading};
use super::screen::AREAS;
use crate::dice::Dice;
use crate::scenario::Moment;

/// Temperatures that are valid under every calibration of the simulation (offsets −45, 0 and 30).
const ALWAYS_VALID: [f64; 4] = [10.5, 21.25, 37.0, 49.5];
/// Valid without an offset, invalid under one of them.
const SOMETIMES_VALID: [f64; 2] = [2.0, 75.0];
/// Valid under none.
const NEVER_VALID: [f64; 2] = [500.0, -300.0];

/// A message with its body and what is in it.
pub(super) fn message(
    dice: &mut Dice,
    device: usize,
    name: &str,
    sequence: Option<i64>,
    arrives: Moment,
    enqueued_at: i64,
) -> Message {
    // A body that nobody can read names no device, and by hand nothing else tells two of them apart.
    let unreadable = sequence.is_some() && dice.percent(6);
    let stamped = sequence.is_some() && (unreadable || dice.percent(80));
    let (body, readings) = match unreadable {
        true => (unreadable_body(dice), vec![Reading::Poison]),
        false => readable_body(dice, device, name, stamped),
    };
    let created_at = sequence.and_then(|_| creation_time(dice, enqueued_at));
    Message { device, sequence, arrives, enqueued_at, created_at, stamped, body, readings }
}

/// Most devices do not say when; some were without a connection for hours, some clocks go wrong.
fn creation_time(dice: &mut Dice, enqueued_at: i64) -> Option<i64> {
    let before = |dice: &mut Dice, most: u64| i64::try_from(dice.below(most)).expect("hours");
    match dice.below(10) {
        0 => Some(enqueued_at - before(dice, 6 * 3_600_000)),
        1 => Some(enqueued_at - before(dice, 20_000)),
        2 => Some(enqueued_at + dice.pick(&[200_000, 300_000, 300_001, 86_400_000])),
        3 => Some(dice.pick(&[7, 315_964_800_000])),
        _ => None,
    }
}

fn unreadable_body(dice: &mut Dice) -> Vec<u8> {
    let deep = "[".repeat(70);
    let bodies: [&[u8]; 6] =
        [b"", b"not json", b"[]", b"{\"temperature\":1", b"{\"temperature\":\"\xff\"}", deep.as_bytes()];
    dice.pick(&bodies).to_vec()
}

fn readable_body(dice: &mut Dice, device: usize, name: &str, stamped: bool) -> (Vec<u8>, Vec<Reading>) {
    let count = if dice.percent(20) { dice.between(2, 5) } else { 1 };
    let one = |number| reading(dice, device, &format!("{name}-{number}"), stamped);
    let (values, readings): (Vec<String>, Vec<Reading>) = (0..count).map(one).unzip();
    let body = match values.len() {
        1 => values.concat(),
        _ => format!("[{}]", values.join(",")),
    };
    (body.into_bytes(), readings)
}

fn reading(dice: &mut Dice, device: usize, message_id: &str, stamped: bool) -> (String, Reading) {
    let temperature = match dice.below(10) {
        0..6 => dice.pick(&ALWAYS_VALID),
        6..8 => dice.pick(&SOMETIMES_VALID),
        _ => dice.pick(&NEVER_VALID),
    };
    let humidity = dice.percent(40).then(|| 10.0 + dice.pick(&[0.0, 0.5, 1.0, 1.5]));
    let spelling = dice.pick(&["temperature", "Temperature", "Celsius"]);
    let mut value = json!({ "messageId": message_id, spelling: temperature });
    if let Some(area) = dice.pick(&[None, None, Some(AREAS[0]), Some(AREAS[1])]) {
        value["geo"] = area.into();
    }
    if let Some(humidity) = humidity {
        value["humidity"] = humidity.into();
    }
    if !stamped {
        value["deviceId"] = format!("device-{device}").into();
    }
    match dice.below(12) {
        0 => (poisoned(dice, &mut value, spelling), Reading::Poison),
        _ => {
            let message_id = message_id.to_owned();
            (value.to_string(), Reading::Said { message_id, temperature, humidity })
        }
    }
}

/// The same object with a wrong type, a field twice, or a number that is none.
fn poisoned(dice: &mut Dice, value: &mut Value, spelling: &str) -> String {
    match dice.below(3) {
        0 => {
            value[spelling] = "warm".into();
            value.to_string()
        }
        1 => value.to_string().replacen('{', "{\"light\":1,\"Light\":2,", 1),
        _ => value.to_string().replacen('{', "{\"light\":1e999,", 1),
    }
}
