//! That the OpenAPI document and the router say the same.

use std::collections::BTreeSet;
use std::path::Path;

use super::document::Document;
use super::place::World;
use super::support::cluster::Cluster;
use super::support::http::request;

const PROTOCOL: &str = include_str!("../../PROTOCOL.md");
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

#[tokio::test]
async fn what_is_documented_is_there_and_nothing_else_at_its_address() {
    let world = World::new().await;
    let document = Document::of(&world.node).await;
    let operations = document.operations();
    let paths: BTreeSet<_> = operations.iter().map(|route| route.split_once(' ').unwrap().1).collect();
    for (path, method) in paths.iter().flat_map(|path| METHODS.map(|method| (path, method))) {
        let line = format!("{method} {}", path.replace(['{', '}'], ""));
        let answer = request(world.node.address, &line, (None, "")).await;
        let is_there =
            !(answer.status == 405 || answer.status == 404 && answer.json()["code"] == "not_found");
        assert_eq!(is_there, operations.contains(&format!("{method} {path}")), "{line}: {}", answer.status);
    }
}

#[tokio::test]
async fn the_development_login_is_documented_where_there_is_one() {
    let node = Cluster::default().development_node("open").await;
    let document = Document::of(&node).await;
    let world = World::new().await;
    let more: BTreeSet<_> = &document.operations() - &Document::of(&world.node).await.operations();
    assert_eq!(more.iter().collect::<Vec<_>>(), ["GET /api/v1/dev/login", "POST /api/v1/dev/login"]);
    for (body, status) in [(r#"{"name":"Ada"}"#, 200), (r#"{"name":""}"#, 400)] {
        let answer = request(node.address, "POST /api/v1/dev/login", (None, body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        document.assert_allows("POST /api/v1/dev/login", &answer);
    }
}

/// Routes of the API are made from what describes them; a route that is made otherwise would not be in the document.
#[test]
fn no_route_of_the_api_is_made_without_a_description() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(!text.contains(r#".route("/api"#), "{} has such a route", path.display());
            }
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let world = World::new().await;
    let document = Document::of(&world.node).await;
    let mut names = BTreeSet::new();
    for route in document.operations() {
        let operation = document.operation(&route);
        assert!(operation["summary"].is_string(), "{route} has no words");
        assert!(names.insert(operation["operationId"].to_string()), "{route} has another one's name");
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let world = World::new().await;
    let Document(document) = Document::of(&world.node).await;
    let text = document.to_string();
    let references = text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap());
    let lost: BTreeSet<_> = references.filter(|to| document.pointer(to).is_none()).collect();
    assert_eq!(lost, BTreeSet::new());
}

#[tokio::test]
async fn the_protocol_document_lists_every_request() {
    let world = World::new().await;
    for route in Document::of(&world.node).await.operations() {
        assert!(PROTOCOL.contains(&format!("`{route}`")), "PROTOCOL.md lacks `{route}`");
    }
}
