//! The OpenAPI document of a node, read as a client would.

use std::collections::BTreeSet;

use serde_json::Value;

use super::support::cluster::TestNode;
use super::support::http::{Answer, request};

pub struct Document(pub Value);

impl Document {
    pub async fn of(node: &TestNode) -> Self {
        let answer = request(node.address, "GET /api/v1/openapi.json", (None, "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self(answer.json())
    }

    /// Every method and path.
    pub fn operations(&self) -> BTreeSet<String> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        operations.collect()
    }

    pub fn operation(&self, route: &str) -> &Value {
        let (method, path) = route.split_once(' ').unwrap();
        &self.0["paths"][path][method.to_lowercase()]
    }

    /// Fails if a client could not know of this answer.
    pub fn assert_allows(&self, route: &str, answer: &Answer) {
        let described = &self.operation(route)["responses"][answer.status.to_string()]["description"];
        let described = described.as_str();
        let described = described.unwrap_or_else(|| panic!("{route} is not said to answer {answer:?}"));
        if answer.status >= 400 {
            let problem = answer.json();
            let code = problem["code"].as_str().unwrap();
            let line = format!("- `{code}`: ");
            assert!(described.contains(&line), "{route} is not said to answer `{code}`");
        }
    }
}
