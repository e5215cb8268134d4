//! Creating a table with credentials that may not.

use fieldcast_tables::Error;

use crate::script::{Script, Step, answer, quick, refusal, soon};

const SIGNATURE: &str = "SharedAccessSignature=sv=2019-02-02&sp=raud&sig=secret%3D";

fn forbidden() -> Step {
    refusal("403 Forbidden", "AuthorizationPermissionMismatch", "This request is not authorized.")
}

#[tokio::test]
async fn a_signature_that_may_not_create_is_enough_for_a_table_that_answers() {
    let script = Script::of([forbidden(), answer("200 OK", &[], r#"{"value":[]}"#)]).await;
    script.table_with(SIGNATURE, quick()).create(soon()).await.unwrap();
    let requests = script.requests();
    assert!(requests[0].starts_with("POST /Tables?"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /Devices()?$top=1&"), "{}", requests[1]);
}

#[tokio::test]
async fn a_table_that_does_not_answer_leaves_the_denial_as_it_is() {
    let missing = refusal("404 Not Found", "TableNotFound", "The table specified does not exist.");
    for second in [missing, forbidden()] {
        let script = Script::of([forbidden(), second]).await;
        let error = script.table_with(SIGNATURE, quick()).create(soon()).await.unwrap_err();
        assert!(matches!(&error, Error::Denied { status: 403, .. }), "{error:?}");
    }
}
