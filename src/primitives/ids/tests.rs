//! Which ids there are, and the keys that they have.

use proptest::prelude::*;

use super::{DeviceId, DeviceIdError, forbidden_in_key};

fn id(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

#[test]
fn ids_that_nothing_can_be_called_are_refused() {
    for (text, control) in [("a\u{1}b", '\u{1}'), ("\u{9f}", '\u{9f}'), ("a\n", '\n')] {
        assert_eq!(DeviceId::parse(text), Err(DeviceIdError::Forbidden(control)));
        assert_eq!(id("a").part(Some(text), None), Err(DeviceIdError::Forbidden(control)));
    }
    assert_eq!(DeviceId::parse(""), Err(DeviceIdError::Empty));
    assert_eq!(DeviceId::parse(&"x".repeat(129)), Err(DeviceIdError::TooLong(129)));
    let long = "#".repeat(128);
    assert_eq!(id(&long).part(Some(&long), Some(&long)), Err(DeviceIdError::KeyTooLong));
}

#[test]
fn ids_that_storage_allows_are_their_own_keys() {
    for text in ["sensor-1", "a.b:c_d@e=f", "O'Brien", "%(x)+$*!,", "a%23", "ü", "a|b", &"x".repeat(128)] {
        assert_eq!(id(text).as_str(), text);
    }
}

#[test]
fn other_ids_have_escaped_keys() {
    for (text, key) in [
        ("LightSensor#1", "|LightSensor%231"),
        ("who?", "|who%3F"),
        ("a/b\\c%23", "|a%2Fb%5Cc%2523"),
        ("|x", "|%7Cx"),
        ("a|b|c", "|a%7Cb%7Cc"),
    ] {
        assert_eq!(id(text).as_str(), key);
    }
}

#[test]
fn parts_have_keys_of_their_own() {
    for (device, module, component, key) in [
        ("tc-1", None, Some("thermostat1"), "tc-1||thermostat1"),
        ("edge-1", Some("Sim"), None, "edge-1|Sim|"),
        ("edge-1", Some("Si#m"), Some("a|b"), "edge-1|Si%23m|a%7Cb"),
        ("L#1", Some("m"), None, "|L%231|m|"),
        ("a|b", Some("m"), None, "|a%7Cb|m|"),
    ] {
        let part = id(device).part(module, component).unwrap();
        assert_eq!(part.as_str(), key);
        assert_eq!((part.device().as_ref(), part.whole()), (device, id(device)));
    }
    assert_eq!(id("tc-1").part(None, None), Ok(id("tc-1")));
    assert_eq!(DeviceId::device_key_of("tc-1||thermostat1"), "tc-1");
    assert_eq!(DeviceId::device_key_of("a|b"), "a|b");
}

#[test]
fn keys_of_something_else_are_no_ids() {
    for key in ["|x", "|", "||", "a|b|%", "|a%2f", "a\u{1}"] {
        assert_eq!(DeviceId::of_key(key), None, "{key}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[ab%|#/?\\\\ü237C]{1,6}"
}

proptest! {
    #[test]
    fn a_key_says_which_id_it_stands_for(
        device in name(),
        module in proptest::option::of(name()),
        component in proptest::option::of(name()),
    ) {
        let part = id(&device).part(module.as_deref(), component.as_deref()).unwrap();
        prop_assert!(!part.as_str().contains(forbidden_in_key));
        let read = DeviceId::of_key(part.as_str()).unwrap();
        prop_assert_eq!(&read, &part);
        prop_assert_eq!(read.device().into_owned(), device);
        prop_assert_eq!(read.module().map(|name| name.into_owned()), module);
        prop_assert_eq!(read.component().map(|name| name.into_owned()), component);
    }

    #[test]
    fn no_key_is_read_as_another_id(key in "[ab%|#23C7]{0,8}") {
        if let Some(id) = DeviceId::of_key(&key) {
            prop_assert_eq!(id.as_str(), key);
        }
    }
}
