//! Tokens: which are accepted, and what the others are told.

use fieldcast_iot_hub::{DEVELOPMENT_KEY, Device, Devices, HubConfig, HubError, Policy, StatusCode};

use crate::support::{TestHub, config, device_key, encode, events, in_an_hour, now, refusal, token};

async fn status(test: &TestHub, device: &str, authorization: &str) -> StatusCode {
    let request = test.post(device).header("Authorization", authorization).body("{}");
    request.send().await.expect("an answer").status()
}

/// Expects 401 for the token and returns the text; nothing secret may be in it.
async fn unauthorized(test: &TestHub, device: &str, authorization: &str) -> String {
    let request = test.post(device).header("Authorization", authorization).body("{}");
    let (status, code, text) = refusal(request.send().await.expect("an answer")).await;
    assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, "IotHubUnauthorizedAccess"), "{text}");
    let signature =
        authorization.split(['&', ' ']).find_map(|field| field.strip_prefix("sig=")).unwrap_or("none");
    for secret in [DEVELOPMENT_KEY, &device_key(device), signature] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(test.hub.accepted(), 0);
    text
}

fn resource(test: &TestHub, device: &str) -> String {
    encode(&format!("{}/devices/{device}", test.hub.address()))
}

fn registered(secondary: Option<&str>) -> HubConfig {
    let device = Device {
        id: "known".to_owned(),
        primary_key: "cHJpbWFyeQ==".to_owned(),
        secondary_key: secondary.map(str::to_owned),
        generation_id: "638671234567890123".to_owned(),
    };
    HubConfig { devices: Devices::Registered(vec![device]), ..config() }
}

#[tokio::test]
async fn a_token_made_with_python_is_accepted() {
    let test = TestHub::with(HubConfig { host_name: Some("127.0.0.1:7072".to_owned()), ..config() }).await;
    // hmac.new(base64.b64decode(key), f"{sr}\n{se}".encode(), hashlib.sha256) with the two default keys.
    let device = "SharedAccessSignature sr=127.0.0.1%3A7072%2Fdevices%2Fsensor-1\
        &sig=uaEpsItkbF23Ar8AEl5h3q5KEkJSN%2FCd3SkZ79iPUnE%3D&se=4102444800";
    let policy = "SharedAccessSignature sr=127.0.0.1%3A7072\
        &sig=9hu3k%2BfqbdY%2BRNeCwHDqlrKh0DL%2BAbSQYP7M%2BW5hE7M%3D&se=4102444800&skn=device";
    assert_eq!(status(&test, "sensor-1", device).await, StatusCode::NO_CONTENT);
    assert_eq!(status(&test, "sensor-1", policy).await, StatusCode::NO_CONTENT);
    assert_eq!(status(&test, "sensor-2", device).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_way_of_writing_a_good_token_is_accepted() {
    let test = TestHub::new().await;
    let id = "a.b:c_d@e=f";
    let (key, later) = (device_key(id), in_an_hour());
    let once = resource(&test, id);
    let twice = encode(&format!("{}/devices/{}", test.hub.address(), encode(id)));
    let localhost = encode(&format!("LOCALHOST:{}/devices/{id}", test.hub.address().port()));
    let deeper = format!("{once}%2Fmessages%2Fevents");
    let plain = format!("{}/devices/{id}", test.hub.address());
    for resource in [&once, &once.to_lowercase(), &twice, &localhost, &deeper, &plain] {
        assert_eq!(
            status(&test, id, &token(&key, resource, later, None)).await,
            StatusCode::NO_CONTENT,
            "{resource}"
        );
    }
    let in_order = token(&key, &once, later, None);
    let fields: Vec<&str> = in_order.split_once(' ').expect("a scheme").1.split('&').rev().collect();
    let reversed = format!("SharedAccessSignature {}&skn=", fields.join("&"));
    assert_eq!(status(&test, id, &reversed).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_policy_token_opens_the_hub_or_the_part_it_names() {
    let test = TestHub::new().await;
    let host = encode(&test.hub.address().to_string());
    for resource in [host.clone(), format!("{host}%2Fdevices"), resource(&test, "sensor-1")] {
        let token = token(DEVELOPMENT_KEY, &resource, in_an_hour(), Some("device"));
        assert_eq!(status(&test, "sensor-1", &token).await, StatusCode::NO_CONTENT, "{resource}");
    }
}

#[tokio::test]
async fn missing_and_malformed_tokens_are_explained() {
    let test = TestHub::new().await;
    let (status, _, text) = refusal(test.post("dev").body("{}").send().await.expect("an answer")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains("no Authorization header"), "{text}");
    for (token, expected) in [
        ("Bearer abc", "SharedAccessSignature"),
        ("SharedAccessSignature sr=h&se=1", "'sig'"),
        ("SharedAccessSignature sr=h&sig=%2B!&se=1", "not base64"),
        ("SharedAccessSignature sr=h&sig=AAAA&se=tomorrow", "'se'"),
    ] {
        let text = unauthorized(&test, "dev", token).await;
        assert!(text.contains(expected), "{token}: {text}");
    }
}

#[tokio::test]
async fn an_expired_token_is_told_both_times() {
    let test = TestHub::new().await;
    let expired = token(&device_key("dev"), &resource(&test, "dev"), 1_700_000_000, None);
    let text = unauthorized(&test, "dev", &expired).await;
    assert!(text.contains("expired at 2023-11-14T22:13:20Z") && text.contains("clock"), "{text}");
    let just_now = token(&device_key("dev"), &resource(&test, "dev"), now() - 1, None);
    unauthorized(&test, "dev", &just_now).await;
    let before_time = token(&device_key("dev"), &resource(&test, "dev"), 0, None);
    unauthorized(&test, "dev", &before_time).await;
}

#[tokio::test]
async fn a_token_for_something_else_is_refused() {
    let test = TestHub::new().await;
    let later = in_an_hour();
    let key = device_key("dev-1");
    let cases = [
        (resource(&test, "dev-2"), "names the device 'dev-2'"),
        (resource(&test, "dev"), "names the device 'dev'"),
        (resource(&test, "DEV-1"), "names the device 'DEV-1'"),
        (encode("other.azure-devices.net/devices/dev-1"), "names the host 'other.azure-devices.net'"),
        (encode(&format!("{}/twins/dev-1", test.hub.address())), "another part of the hub"),
        (encode(&test.hub.address().to_string()), "names no device"),
    ];
    for (resource, expected) in cases {
        let text = unauthorized(&test, "dev-1", &token(&key, &resource, later, None)).await;
        assert!(text.contains(expected), "{resource}: {text}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_the_key_to_check_is_named() {
    let test = TestHub::new().await;
    let resource = resource(&test, "dev");
    let other_devices = token(&device_key("dev-2"), &resource, in_an_hour(), None);
    let text = unauthorized(&test, "dev", &other_devices).await;
    assert!(text.contains("signature does not match") && text.contains("device 'dev'"), "{text}");
    let policy = token("AAAA", &resource, in_an_hour(), Some("device"));
    assert!(unauthorized(&test, "dev", &policy).await.contains("policy 'device'"));
    let unknown = token(DEVELOPMENT_KEY, &resource, in_an_hour(), Some("owner"));
    assert!(unauthorized(&test, "dev", &unknown).await.contains("no policy 'owner'"));
    let moved = token(&device_key("dev"), &resource, in_an_hour(), None).replace("&se=", "&se=1");
    unauthorized(&test, "dev", &moved).await;
}

#[tokio::test]
async fn registered_devices_have_two_keys_and_a_generation() {
    let test = TestHub::with(registered(Some("c2Vjb25kYXJ5"))).await;
    for key in ["cHJpbWFyeQ==", "c2Vjb25kYXJ5"] {
        let token = token(key, &resource(&test, "known"), in_an_hour(), None);
        assert_eq!(status(&test, "known", &token).await, StatusCode::NO_CONTENT);
    }
    let derived = token(&device_key("known"), &resource(&test, "known"), in_an_hour(), None);
    assert_eq!(status(&test, "known", &derived).await, StatusCode::UNAUTHORIZED);
    let stored = test.all().await;
    assert_eq!(stored[0]["systemProperties"]["iothub-connection-auth-generation-id"], "638671234567890123");
}

#[tokio::test]
async fn an_unknown_device_is_404_for_the_policy_and_401_for_itself() {
    let test = TestHub::with(registered(None)).await;
    let request = test.post("stranger").header("Authorization", test.policy_token()).body("{}");
    let (status, code, text) = refusal(request.send().await.expect("an answer")).await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "DeviceNotFound"));
    assert!(text.contains("stranger"), "{text}");
    let own = token(&device_key("stranger"), &resource(&test, "stranger"), in_an_hour(), None);
    assert!(unauthorized(&test, "stranger", &own).await.contains("no device 'stranger'"));
    assert_eq!(test.hub.device_connection_string("stranger"), None);
}

#[tokio::test]
async fn the_scope_of_the_key_is_stamped() {
    let test = TestHub::new().await;
    test.send("dev", "own").await;
    let request = test.post("dev").header("Authorization", test.policy_token()).body("policy");
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
    let stored = test.all().await;
    let scope = |index: usize| {
        let method = &stored[index]["systemProperties"]["iothub-connection-auth-method"];
        let method: serde_json::Value = serde_json::from_str(method.as_str().expect("text")).expect("JSON");
        method["scope"].as_str().map(str::to_owned)
    };
    assert_eq!((scope(0).as_deref(), scope(1).as_deref()), (Some("device"), Some("hub")));
}

#[tokio::test]
async fn connection_strings_are_as_azure_writes_them() {
    let test = TestHub::new().await;
    let address = test.hub.address();
    assert_eq!(
        test.hub.device_connection_string("sensor-1"),
        Some(format!("HostName={address};DeviceId=sensor-1;SharedAccessKey={}", device_key("sensor-1")))
    );
    assert_eq!(test.hub.device_connection_string("not/valid"), None);
    assert_eq!(
        test.hub.policy_connection_string(),
        format!("HostName={address};SharedAccessKeyName=device;SharedAccessKey={DEVELOPMENT_KEY}")
    );
    assert_eq!(
        test.hub.event_hub_connection_string(),
        format!(
            "Endpoint=sb://{address}/;SharedAccessKeyName=device;SharedAccessKey={DEVELOPMENT_KEY};EntityPath=fieldcast"
        )
    );
    assert_eq!(Policy::default().device_key("sensor-1"), Some(device_key("sensor-1")));
}

#[tokio::test]
async fn unusable_configurations_are_refused_without_showing_keys() {
    let policy = Policy { name: "device".to_owned(), key: "n0t~base64".to_owned() };
    let open = "0.0.0.0:0".parse().expect("an address");
    let twins = || match registered(Some("*")).devices {
        Devices::Registered(devices) => devices,
        Devices::AnyWithPolicy => Vec::new(),
    };
    let cases = [
        (HubConfig { policy, ..config() }, "policy 'device'"),
        (HubConfig { listen: open, ..config() }, "loopback"),
        (HubConfig { partitions: 0, ..config() }, "partitions"),
        (HubConfig { partitions: 129, ..config() }, "partitions"),
        (HubConfig { entity: String::new(), ..config() }, "name"),
        (HubConfig { devices: Devices::Registered(twins()), ..config() }, "device 'known'"),
    ];
    for (config, expected) in cases {
        let error = fieldcast_iot_hub::Hub::start(config).await.expect_err("refused").to_string();
        assert!(error.contains(expected) && !error.contains("n0t~base64"), "{error}");
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let test = TestHub::new().await;
    let config = HubConfig { listen: test.hub.address(), ..config() };
    let error = fieldcast_iot_hub::Hub::start(config).await.expect_err("refused");
    assert!(matches!(error, HubError::Listen { address, .. } if address == test.hub.address()));
}

#[tokio::test]
async fn the_mailbox_is_empty_and_locked() {
    let test = TestHub::new().await;
    for name in ["devicebound", "deviceBound"] {
        let url = test.url(&format!("/devices/dev/messages/{name}?api-version=2020-03-13"));
        let open = test.http.get(&url).header("Authorization", test.device_token("dev"));
        assert_eq!(open.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
        assert_eq!(test.http.get(&url).send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    }
    assert!(events(&test.read(0, "").await).is_empty());
}
