use super::*;
use std::fs;

fn options(arguments: &[&str]) -> Options {
    let mut options = Options::parse_from(std::iter::once("chat-node").chain(arguments.iter().copied()));
    options.data = Some("/nowhere".into());
    options
}

fn bindings(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn load(root: &tempfile::TempDir) -> Result<Config, ConfigError> {
    let mut options = options(&["--listen", "0.0.0.0:8080"]);
    options.bindings = Some(root.path().to_owned());
    Config::load(options)
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn without_anything_the_node_runs_alone_on_loopback() {
    let config = Config::load(options(&[])).unwrap();
    assert!(config.stands_alone && !config.node.is_empty());
    assert!(matches!(config.store, StoreChoice::Embedded(_)));
    assert!(matches!(config.bus, BusChoice::InProcess));
    assert!(matches!(config.auth, AuthChoice::Development));
}

#[test]
fn without_a_key_other_machines_are_not_let_in_unless_asked_for() {
    let error = Config::load(options(&["--listen", "0.0.0.0:8080"])).unwrap_err();
    assert!(error.to_string().contains("--dev-login"), "{error}");
    let config = Config::load(options(&["--listen", "0.0.0.0:8080", "--dev-login"])).unwrap();
    assert!(matches!(config.auth, AuthChoice::Development));
}

#[test]
fn bindings_name_the_services() {
    let root = bindings(&[
        ("mongodb/uri", "mongodb://store\n"),
        ("rabbitmq/host", "broker"),
        ("rabbitmq/username", "vt"),
        ("rabbitmq/password", "secret"),
        ("auth/hs256", KEY),
    ]);
    let config = load(&root).unwrap();
    assert!(matches!(&config.store, StoreChoice::Mongo(uri) if uri == "mongodb://store"));
    let BusChoice::RabbitMq(credentials) = &config.bus else { panic!("{:?}", config.bus) };
    assert_eq!((credentials.port, credentials.vhost.as_str()), (5_672, "/"));
    assert!(matches!(config.auth, AuthChoice::Tokens(_)));
}

#[test]
fn secrets_are_not_shown() {
    let root = bindings(&[
        ("mongodb/uri", "mongodb://vt:secret@store"),
        ("rabbitmq/host", "broker"),
        ("rabbitmq/username", "vt"),
        ("rabbitmq/password", "secret"),
        ("auth/hs256", KEY),
    ]);
    let shown = format!("{:?}", load(&root).unwrap());
    assert!(!shown.contains("secret") && !shown.contains(KEY), "{shown}");
}

#[test]
fn an_incomplete_binding_names_its_file() {
    let root = bindings(&[("rabbitmq/host", "broker"), ("auth/hs256", KEY)]);
    assert!(load(&root).unwrap_err().to_string().contains("rabbitmq/username"));
    let root = bindings(&[("auth/hs256", "short")]);
    let error = load(&root).unwrap_err().to_string();
    assert!(error.contains("auth/hs256") && error.contains("32"), "{error}");
    let root = bindings(&[("rabbitmq/host", "b"), ("rabbitmq/port", "many"), ("auth/hs256", KEY)]);
    assert!(load(&root).unwrap_err().to_string().contains("`many`"));
}

#[test]
fn keys_for_tokens_come_from_any_of_three_files() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let set = r#"{"keys":[{"kid":"a","kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
    let count = |files: &[(&str, &str)]| match load(&bindings(files)).unwrap().auth {
        AuthChoice::Tokens(keys) => keys.iter().count(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(&[("auth/eddsa", pem)]), 1);
    assert_eq!(count(&[("auth/jwks", set)]), 1);
    assert_eq!(count(&[("auth/hs256", KEY), ("auth/eddsa", pem), ("auth/jwks", set)]), 3);

    for (file, content) in [("auth/eddsa", "key"), ("auth/jwks", "{}"), ("auth/other", "x")] {
        let error = load(&bindings(&[(file, content)])).unwrap_err().to_string();
        assert!(error.contains("/auth"), "{error}");
    }
}

#[test]
fn an_issuer_needs_an_audience_and_no_keys_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let load = |auth: AuthConfig, root: Option<&tempfile::TempDir>| {
        let settings = NodeConfig { auth, ..alone() };
        fs::write(&path, serde_yaml::to_string(&settings).unwrap()).unwrap();
        let mut options = options(&["--listen", "0.0.0.0:8080"]);
        (options.config, options.bindings) = (Some(path.clone()), root.map(|root| root.path().to_owned()));
        Config::load(options)
    };
    let auth = AuthConfig {
        jwks: Some("https://sso.example/keys".to_owned()),
        issuer: None,
        audience: Some("chat".to_owned()),
    };
    assert!(matches!(load(auth.clone(), None).unwrap().auth, AuthChoice::Issuer(_)));
    let keys = bindings(&[("auth/hs256", KEY)]);
    assert!(matches!(load(auth.clone(), Some(&keys)), Err(ConfigError::TwoSources)));
    assert!(matches!(
        load(AuthConfig { audience: None, ..auth.clone() }, None),
        Err(ConfigError::NoAudience)
    ));
    let plain = AuthConfig { jwks: Some("http://sso.example/keys".to_owned()), ..auth };
    assert!(load(plain, None).unwrap_err().to_string().contains("https"));
}

#[test]
fn a_development_login_beside_keys_stays_off() {
    let root = bindings(&[("auth/hs256", KEY)]);
    let mut options = options(&["--dev-login"]);
    options.bindings = Some(root.path().to_owned());
    assert!(matches!(Config::load(options).unwrap().auth, AuthChoice::Tokens(_)));
}

#[test]
fn the_drain_window_of_the_pod_goes_before_that_of_newer_settings() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let settings = NodeConfig { drain_window: crds::Duration::seconds(120), ..alone() };
    fs::write(&path, serde_yaml::to_string(&settings).unwrap()).unwrap();
    let window = |arguments: &[&str]| {
        let options = Options { config: Some(path.clone()), ..options(arguments) };
        Config::load(options).unwrap().settings.drain_window
    };
    assert_eq!(window(&[]), crds::Duration::seconds(120));
    assert_eq!(window(&["--drain-window", "20s"]), crds::Duration::seconds(20));
}

#[test]
fn a_wrong_file_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.yaml");
    let mut options = options(&[]);
    options.config = Some(path.clone());
    assert!(matches!(Config::load(options.clone()), Err(ConfigError::File { .. })));

    let mut settings = alone();
    fs::write(&path, serde_yaml::to_string(&settings).unwrap()).unwrap();
    assert!(!Config::load(options.clone()).unwrap().stands_alone);

    settings.server_queue.max_bytes = 1;
    fs::write(&path, serde_yaml::to_string(&settings).unwrap()).unwrap();
    let error = Config::load(options.clone()).unwrap_err().to_string();
    assert!(error.contains("serverQueue.maxBytes"), "{error}");

    settings.topology.publish = 2;
    fs::write(&path, serde_yaml::to_string(&settings).unwrap()).unwrap();
    let error = Config::load(options.clone()).unwrap_err().to_string();
    assert!(error.contains("`publish` is 2"), "{error}");

    fs::write(&path, "cluster: demo.chat\nsurprise: 1\n").unwrap();
    assert!(Config::load(options).unwrap_err().to_string().contains("surprise"));
}
