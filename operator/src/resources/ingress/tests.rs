use serde_json::{Value, json};

use super::*;
use crate::fixture;
use crate::resources::tests::blueprint;

/// The annotations and the spec, as YAML.
fn rendered(ingress: Value) -> String {
    let cluster = fixture::cluster(|spec| spec["exposure"] = json!({ "ingress": ingress }));
    let spec = cluster.spec.as_ref().unwrap();
    let ingress = spec.exposure.as_ref().unwrap().ingress.as_ref().unwrap();
    let built = build(&blueprint(&cluster), ingress);
    serde_yaml::to_string(&json!({ "annotations": built.metadata.annotations, "spec": built.spec })).unwrap()
}

macro_rules! golden {
    ($($name:ident: $controller:literal, $path:literal;)*) => {$(
        #[test]
        fn $name() {
            let tls = json!({ "secretName": "chat-tls" });
            let settings = json!({ "controller": $controller, "host": "chat.example", "tls": tls, "path": $path });
            let rendered = rendered(settings);
            let file = concat!("src/resources/ingress/golden/", stringify!($name), ".yaml");
            let wanted = std::fs::read_to_string(file).unwrap_or_default();
            assert!(rendered == wanted, "{file} should be:\n{rendered}");
        }
    )*};
}

golden! {
    ingress_nginx: "IngressNginx", "/";
    ingress_nginx_below_a_path: "IngressNginx", "/team/chat";
    f5_nginx: "F5Nginx", "/";
    f5_nginx_below_a_path: "F5Nginx", "/chat/";
    aws_alb: "AwsAlb", "/";
    azure_application_gateway: "AzureApplicationGateway", "/";
    azure_application_gateway_below_a_path: "AzureApplicationGateway", "/chat";
    any_other_controller: "Other", "/";
}

#[test]
fn the_users_annotations_win() {
    let key = "nginx.ingress.kubernetes.io/proxy-body-size";
    let rendered = rendered(json!({ "annotations": { key: "8m" } }));
    assert!(rendered.contains(&format!("{key}: 8m")), "{rendered}");
    assert!(rendered.contains("proxy-read-timeout: '3600'"), "{rendered}");
}
