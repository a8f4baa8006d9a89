//! One call to the management API: its address, its deadline, and what its answer means.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Access, BrokerError};

const DEADLINE: Duration = Duration::from_secs(5);
const PAGE_SIZE: u32 = 500;
/// 20,000 exchanges or queues of one virtual host.
const MAX_PAGES: u32 = 40;
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// One broker's management API.
#[derive(Clone, Debug)]
pub struct Management {
    http: Client,
    access: Access,
}

#[derive(Deserialize)]
struct Page<T> {
    page_count: u32,
    items: Vec<T>,
}

#[derive(Deserialize)]
struct Complaint {
    error: Option<String>,
    reason: Option<String>,
}

impl Management {
    /// The management API behind `access`.
    pub fn new(http: Client, access: Access) -> Self {
        Self { http, access }
    }

    /// `<base>/api/<path…>`, each part escaped.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.access.base.clone();
        // http and https URLs always have path segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        url
    }

    /// Whose broker it is.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The virtual host.
    pub(super) fn vhost(&self) -> &str {
        &self.access.vhost
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// What is at `url`.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, BrokerError> {
        let body = self.call(self.request(Method::GET, url)).await?;
        serde_json::from_slice(&body)
            .map_err(|error| self.unreachable(format!("its answer is not one of a management API: {error}")))
    }

    /// Everything in the list at `path` whose name has `part` in it.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        part: &str,
        columns: &str,
    ) -> Result<Vec<T>, BrokerError> {
        let mut found = Vec::new();
        for number in 1..=MAX_PAGES {
            let mut url = self.url(path);
            url.query_pairs_mut()
                .append_pair("page", &number.to_string())
                .append_pair("page_size", &PAGE_SIZE.to_string())
                .append_pair("name", part)
                .append_pair("use_regex", "false")
                .append_pair("columns", columns);
            let page: Page<T> = self.get(url).await?;
            found.extend(page.items);
            if number >= page.page_count {
                return Ok(found);
            }
        }
        // What was not read must not pass for missing.
        Err(BrokerError::TooMany { base: self.base(), limit: MAX_PAGES * PAGE_SIZE, part: part.to_owned() })
    }

    /// Deletes what is at `url`; what is gone already is no error.
    pub(super) async fn delete_at(&self, url: Url) -> Result<(), BrokerError> {
        let response = self.send(self.request(Method::DELETE, url)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.read(response).await.map(|_| ())
    }

    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Vec<u8>, BrokerError> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, BrokerError> {
        let request =
            request.basic_auth(&self.access.username, Some(&self.access.password)).timeout(DEADLINE);
        request.send().await.map_err(|error| self.unreachable(crate::http::explain(&error)))
    }

    async fn read(&self, response: Response) -> Result<Vec<u8>, BrokerError> {
        let status = response.status();
        let body = crate::http::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|problem| self.unreachable(problem))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem = match serde_json::from_slice::<Complaint>(&body) {
            Ok(Complaint { error, reason }) => {
                format!("{status}: {}", reason.or(error).unwrap_or_default())
            }
            Err(_) => status.to_string(),
        };
        if status.is_client_error() {
            Err(BrokerError::Refused { base: self.base(), problem })
        } else {
            Err(self.unreachable(problem))
        }
    }

    fn unreachable(&self, problem: String) -> BrokerError {
        BrokerError::Unreachable { base: self.base(), problem }
    }

    fn base(&self) -> String {
        self.access.base.to_string()
    }
}
