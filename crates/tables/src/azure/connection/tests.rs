//! Connection strings in every form, and what is said about broken ones.

use proptest::prelude::*;

use super::*;

const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

fn parse(text: &str) -> ConnectionString {
    ConnectionString::parse(text).unwrap()
}

fn endpoint(parsed: &ConnectionString) -> &str {
    parsed.endpoint.as_str().trim_end_matches('/')
}

fn error(text: &str) -> String {
    ConnectionString::parse(text).unwrap_err().to_string()
}

#[test]
fn account_key_and_suffix_make_the_endpoint() {
    let text = format!(
        "DefaultEndpointsProtocol=https;AccountName=fieldcast1;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
    );
    let parsed = parse(&text);
    assert_eq!(endpoint(&parsed), "https://fieldcast1.table.core.chinacloudapi.cn");
    let key = b"secret-secret-secret".to_vec();
    assert_eq!(parsed.credential, Credential::AccountKey { account: "fieldcast1".to_owned(), key });
}

#[test]
fn protocol_and_suffix_have_defaults() {
    let parsed = parse(&format!("AccountName=fieldcast1;AccountKey={KEY}"));
    assert_eq!(endpoint(&parsed), "https://fieldcast1.table.core.windows.net");
}

#[test]
fn names_are_case_insensitive_and_spaces_and_other_services_do_not_matter() {
    let text = format!(
        " accountname = fieldcast1 ; ACCOUNTKEY={KEY};; BlobEndpoint=https://x.blob.core.windows.net/;\r\n"
    );
    assert_eq!(parse(&text), parse(&format!("AccountName=fieldcast1;AccountKey={KEY}")));
}

#[test]
fn table_endpoint_is_taken_with_and_without_trailing_slash() {
    for slash in ["", "/"] {
        let own = format!("AccountName=a;AccountKey={KEY};TableEndpoint=https://tables.example{slash}");
        assert_eq!(endpoint(&parse(&own)), "https://tables.example");
        let path = format!("AccountName=a;AccountKey={KEY};TableEndpoint=http://127.0.0.1:10002/a{slash}");
        assert_eq!(endpoint(&parse(&path)), "http://127.0.0.1:10002/a");
    }
}

#[test]
fn shared_access_signature_goes_with_an_endpoint_or_an_account() {
    let signature = "sv=2019-02-02&ss=t&srt=sco&sp=rwdlacu&sig=ab%2Bc%3D";
    let with_endpoint = format!("TableEndpoint=https://x.example/;SharedAccessSignature=?{signature}");
    let with_account = format!("SharedAccessSignature={signature};AccountName=fieldcast1");
    assert_eq!(endpoint(&parse(&with_endpoint)), "https://x.example");
    assert_eq!(endpoint(&parse(&with_account)), "https://fieldcast1.table.core.windows.net");
    for text in [with_endpoint, with_account] {
        assert_eq!(parse(&text).credential, Credential::SharedAccessSignature(signature.to_owned()));
    }
}

#[test]
fn development_storage_is_the_emulator() {
    let parsed = parse("usedevelopmentstorage=TRUE;");
    assert_eq!(endpoint(&parsed), "http://127.0.0.1:10002/devstoreaccount1");
    let behind_proxy = parse("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://my-host/");
    assert_eq!(endpoint(&behind_proxy), "http://my-host:10002/devstoreaccount1");
    assert_eq!(behind_proxy.credential, parsed.credential);
}

#[test]
fn errors_name_the_part_and_never_its_value() {
    let check = |text: &str, expected: &str| assert_eq!(error(text), expected);
    check("", "AccountName or TableEndpoint is missing");
    check("AccountName=secret1", "AccountKey or SharedAccessSignature is missing");
    check("AccountName=secret1;AccountKey=", "AccountKey or SharedAccessSignature is missing");
    check("AccountName=secret1;AccountKey=!secret!", "AccountKey is not base64");
    check("AccountKey=c2VjcmV0;TableEndpoint=https://x.example", "AccountName is missing");
    check("AccountName=se/cret;AccountKey=c2VjcmV0", "AccountName is not letters and digits");
    check("AccountName=secret1;c2VjcmV0", "part 2 is not of the form Name=value");
    check("AccountName=secret1;accountname=secret2", "part 2 repeats an earlier one");
    check("UseDevelopmentStorage=secret", "UseDevelopmentStorage is not `true`");
    let address = "is not an http or https address without a query";
    check("TableEndpoint=secret;AccountName=a", &format!("TableEndpoint {address}"));
    check("TableEndpoint=https://x.example/?sig=secret;AccountName=a", &format!("TableEndpoint {address}"));
    check("TableEndpoint=https://me:secret@x.example/", &format!("TableEndpoint {address}"));
    check(
        "AccountName=a;DefaultEndpointsProtocol=secret;AccountKey=c2VjcmV0",
        "DefaultEndpointsProtocol is not `https` or `http`",
    );
    check(
        "AccountName=a;EndpointSuffix=sec ret;AccountKey=c2VjcmV0",
        "EndpointSuffix is not a domain name such as core.windows.net",
    );
    check(
        "TableEndpoint=https://x.example;SharedAccessSignature=secret",
        "SharedAccessSignature is not a query string with a sig",
    );
}

#[test]
fn debug_text_shows_no_credential() {
    let by_key = format!("{:?}", parse(&format!("AccountName=fieldcast1;AccountKey={KEY}")));
    assert!(by_key.contains("fieldcast1") && !by_key.contains("115, 101"), "{by_key}");
    let by_signature =
        format!("{:?}", parse("TableEndpoint=https://x.example;SharedAccessSignature=sig=secret"));
    assert!(!by_signature.contains("secret"), "{by_signature}");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        let _ = ConnectionString::parse(&text);
    }

    #[test]
    fn text_with_known_names_is_parsed_or_refused(
        parts in prop::collection::vec(
            (prop::sample::select(vec![
                "AccountName", "AccountKey", "TableEndpoint", "EndpointSuffix", "SharedAccessSignature",
                "UseDevelopmentStorage", "DevelopmentStorageProxyUri", "DefaultEndpointsProtocol",
            ]), prop_oneof!["[ -~]{0,12}", "true", "https?://[a-z:/@\\[\\]]{0,8}", "sig=[a-z]{0,3}"]),
            0..5,
        ),
    ) {
        let text = parts.iter().map(|(name, value)| format!("{name}={value};")).collect::<String>();
        let _ = ConnectionString::parse(&text);
    }

    #[test]
    fn every_key_survives(key in prop::collection::vec(any::<u8>(), 1..80)) {
        let text = format!("AccountName=fieldcast1;AccountKey={}", BASE64_STANDARD.encode(&key));
        let account = "fieldcast1".to_owned();
        prop_assert_eq!(parse(&text).credential, Credential::AccountKey { account, key });
    }
}
