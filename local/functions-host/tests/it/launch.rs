//! How the handler is started and found ready, and what prevents a start.

use std::{fs, os::unix::fs::symlink, process::Command};

use fieldcast_functions_host::HostError;
use serde_json::{Value, json};

use crate::{
    director::Order,
    test_app::{TestApp, get, gone, script},
};

async fn http_app() -> TestApp {
    let test = TestApp::new().await;
    test.add_http("hello", json!({}));
    test
}

#[tokio::test]
async fn the_handler_gets_its_variables_all_settings_and_the_whole_environment() {
    let mut test = http_app().await;
    test.config.settings.insert("TOOL".to_owned(), "tool".to_owned());
    let description = json!({
        "defaultExecutablePath": "node", "arguments": [script(), "--%TOOL%", "%UNSET%x"],
        "workerArguments": ["last"], "workingDirectory": "hello"
    });
    test.host_json["customHandler"]["description"] = description;
    let host = test.start().await;
    let start = test.director.starts().remove(0);
    assert_eq!(start.arguments, ["--tool", "x", "last"]);
    assert_eq!(start.folder, fs::canonicalize(test.app_root().join("hello")).unwrap().to_str().unwrap());
    let variable = |name: &str| start.environment[name].clone();
    assert!(variable("FUNCTIONS_CUSTOMHANDLER_PORT").parse::<u16>().unwrap() > 0);
    assert_eq!(variable("FUNCTIONS_CUSTOMHANDLER_PORT"), variable("FUNCTIONS_HTTPWORKER_PORT"));
    assert_eq!(variable("FUNCTIONS_CUSTOMHANDLER_WORKER_ID").len(), 36);
    assert_eq!(variable("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"), variable("FUNCTIONS_HTTPWORKER_ID"));
    assert_eq!(variable("FUNCTIONS_APP_ROOT_PATH"), test.app_root().to_str().unwrap());
    assert_eq!(variable("TOOL"), "tool");
    assert!(start.environment.contains_key("PATH"), "the environment is inherited");
    assert_eq!(host.handler_pid(), Some(start.pid));
    host.stop().await;
}

#[tokio::test]
async fn any_status_of_the_root_means_ready_and_probes_carry_no_invocation_headers() {
    let test = http_app().await;
    test.director.always("/", Order::empty(503));
    let host = test.start().await;
    let probe = test.director.requests("/").remove(0);
    assert_eq!(probe.method, "GET");
    assert!(probe.header("x-azure-functions-invocationid").is_empty());
    assert_eq!(host.status().handler_starts, 1);
    host.stop().await;
}

#[tokio::test]
async fn a_relative_executable_is_taken_from_the_app_root_when_it_is_there() {
    let mut test = http_app().await;
    let node = Command::new("node").args(["-p", "process.execPath"]).output().unwrap();
    let node = String::from_utf8(node.stdout).unwrap();
    fs::create_dir(test.app_root().join("bin")).unwrap();
    symlink(node.trim(), test.app_root().join("bin/handler")).unwrap();
    test.host_json["customHandler"]["description"]["defaultExecutablePath"] = json!("bin/handler");
    test.start().await.stop().await;
}

#[tokio::test]
async fn a_setting_overrides_the_executable_of_host_json() {
    let mut test = http_app().await;
    test.host_json["customHandler"]["description"]["defaultExecutablePath"] = json!("absent");
    let name = "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath";
    test.config.settings.insert(name.to_owned(), "node".to_owned());
    test.start().await.stop().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_is_one_clear_error() {
    let mut test = http_app().await;
    fs::write(test.app_root().join("plain"), "text").unwrap();
    fs::write(test.app_root().join("lost"), "#!/no/such/interpreter\n").unwrap();
    Command::new("chmod").args(["+x", "lost"]).current_dir(test.app_root()).status().unwrap();
    for (description, expected) in [
        (
            json!({"defaultExecutablePath": "no-such-program"}),
            "neither a file in the app root nor a command on PATH",
        ),
        (json!({"defaultExecutablePath": "bin/no-such-program"}), "the file does not exist"),
        (json!({"defaultExecutablePath": "plain"}), "it is not executable (chmod +x)"),
        (json!({"defaultExecutablePath": "lost"}), "names as interpreter does not exist"),
        (json!({"defaultExecutablePath": "node", "workingDirectory": "nowhere"}), "nowhere does not exist"),
    ] {
        test.host_json["customHandler"]["description"] = description;
        let error = test.start_error().await;
        assert!(matches!(error, HostError::Launch { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_handler_that_never_listens_is_started_three_times_and_then_given_up() {
    let mut test = http_app().await;
    test.host_json["customHandler"] = json!({
        "description": {"defaultExecutablePath": "sh", "arguments": ["-c", "echo pid $$; exec sleep 600"]},
        "initializationTimeout": "00:00:00.5"
    });
    let error = test.start_error().await;
    assert!(error.to_string().contains("initializationTimeout was the handler's third error"), "{error}");
    test.logged_times("initializationTimeout; it is restarted", 2).await;
    for line in test.log_text().lines() {
        if let Some((_, pid)) = line.split_once("[handler] pid ") {
            gone(pid.parse().unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_handler_that_crashes_at_its_start_is_given_up_with_its_last_words() {
    let test = http_app().await;
    let crash = Order::exit(7).and_write("stderr", "one\ntwo\nthree\nno storage account");
    test.director.order_starts(vec![crash; 3]);
    let error = test.start_error().await;
    let expected = "the handler did not become ready: the handler's exit with code 7 was the handler's third \
                    error; its last errors: two | three | no storage account";
    assert_eq!(error.to_string(), expected);
    assert_eq!(test.director.starts().len(), 3);
}

#[tokio::test]
async fn a_handler_that_exits_with_code_0_at_its_start_is_an_error_at_once() {
    let test = http_app().await;
    test.director.order_starts([Order::exit(0)]);
    let error = test.start_error().await;
    assert_eq!(error.to_string(), "the handler did not become ready: it exited with code 0");
    assert_eq!(test.director.starts().len(), 1);
}

#[tokio::test]
async fn a_handler_that_crashes_once_at_its_start_is_started_again() {
    let test = http_app().await;
    test.director.order_starts([Order::exit(1)]);
    let host = test.start().await;
    assert_eq!(host.status().handler_starts, 2);
    host.stop().await;
}

#[tokio::test]
async fn stdout_is_information_and_stderr_is_an_error_unless_it_warns() {
    let test = http_app().await;
    test.director.order(
        "/api/hello",
        [
            Order::success().and_write("stdout", "all is well"),
            Order::success()
                .and_write("stderr", "it broke\nA Warning: low disk\nLanguageWorkerConsoleLog[x] inner"),
        ],
    );
    let host = test.start().await;
    get(host.address(), "/api/hello").await;
    get(host.address(), "/api/hello").await;
    test.logged("info  [handler] all is well").await;
    test.logged("error [handler] it broke").await;
    test.logged("warn  [handler] A Warning: low disk").await;
    test.logged("info  [worker] [x] inner").await;
    host.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let mut test = http_app().await;
    let first = test.start().await;
    test.config.listen = first.address();
    let error = test.start_error().await;
    assert!(matches!(error, HostError::PortTaken { address } if address == first.address()), "{error:?}");
    assert_eq!(error.to_string(), format!("{} is already in use", first.address()));
    first.stop().await;
}

#[tokio::test]
async fn files_of_the_app_that_must_be_corrected_are_named() {
    let mut test = http_app().await;
    let file = test.app_root().join("hello/function.json");
    fs::write(&file, "{\n  \"bindings\": [\n}").unwrap();
    let error = test.start_error().await.to_string();
    assert!(error.starts_with("hello/function.json: this is not JSON:"), "{error}");
    assert!(error.contains("line 3") && !error.contains('\n'), "{error}");
    fs::write(&file, r#"{"bindings":[{"type":"queueTrigger","name":"q","direction":"in"}]}"#).unwrap();
    let error = test.start_error().await;
    assert!(
        matches!(&error, HostError::UnsupportedBinding { kind, .. } if kind == "queueTrigger"),
        "{error:?}"
    );
    test.host_json["version"] = Value::Null;
    assert_eq!(test.start_error().await.to_string(), "host.json: version is missing");
    assert!(test.director.starts().is_empty(), "nothing is started before the files are right");
}

#[tokio::test]
async fn a_folder_without_an_app_is_explained() {
    let mut test = TestApp::new().await;
    assert!(matches!(test.start_error().await, HostError::NoFunctions { .. }));
    test.config.app_root = test.folder("empty");
    let config = test.config.clone();
    let error = fieldcast_functions_host::Host::start(config).await.err().unwrap();
    assert_eq!(error.to_string(), "host.json: the file does not exist");
}

#[tokio::test]
async fn an_unusable_data_folder_is_named() {
    let mut test = http_app().await;
    let file = test.app_root().join("host.json");
    test.config.data_dir = Some(file.clone());
    fs::write(&file, "{}").unwrap();
    let error = test.start_error().await;
    assert!(matches!(&error, HostError::Data { folder, .. } if *folder == file), "{error:?}");
}
