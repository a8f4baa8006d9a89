//! The browser tests: people on the web page.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::case::{Case, case};
use super::world::World;
use crate::browser::{Browser, Page};
use crate::client::{SigningKey, User};
use crate::paths::Paths;

/// The tests.
pub const CASES: &[Case<World>] = &[case(
    "two people on different servers chat on the web page, and a third reads it later",
    240,
    |world| Box::pin(chat(world)),
)];

/// How often somebody signs in to come to another server.
const ATTEMPTS: usize = 20;

/// A chat page: its URL, and the key that signs its users' tokens.
type Site<'a> = (&'a str, &'a SigningKey);

async fn chat(world: Arc<World>) -> Result<()> {
    let url = world.target.chat_url.as_deref().context("no chat URL")?;
    on_page(&world.target.paths, (url, &world.key)).await
}

async fn on_page(paths: &Paths, site: Site<'_>) -> Result<()> {
    let browser = Browser::start(&paths.state.join("chromium"), &paths.log("chromium")).await?;
    let (ada, server) = sign_in(site, &browser, "Ada").await?;
    let bob = sign_in_elsewhere(site, &browser, "Bob", &server).await?;

    let text = format!("typed by Ada {:08x}", fastrand::u32(..));
    ada.type_into("content", &text).await?;
    ada.click("send").await?;
    let on_ada = message(&ada, &text).await.context("on Ada's own page")?;
    let on_bob = message(&bob, &text).await.context("on Bob's page")?;
    ensure!(on_ada == on_bob, "at position {on_ada} on one page, {on_bob} on the other");
    let emptied = ada.evaluate("document.getElementById('content').value").await?;
    ensure!(emptied == json!(""), "the sent text {emptied} is still in the field");

    let answer = format!("typed by Bob {:08x}", fastrand::u32(..));
    bob.type_into("content", &answer).await?;
    bob.click("send").await?;
    message(&ada, &answer).await.context("Bob's answer on Ada's page")?;

    let (carol, _) = sign_in(site, &browser, "Carol").await?;
    message(&carol, &text).await.context("in Carol's history")?;
    message(&carol, &answer).await.context("in Carol's history")?;
    // Not in the state directory, which goes with the cluster.
    let picture = carol.screenshot(&paths.cache.join("chat.png")).await?;
    let size = std::fs::metadata(&picture)?.len();
    ensure!(size > 5_000, "the picture {} has {size} bytes only", picture.display());
    println!("    screenshot: {}", picture.display());
    Ok(())
}

/// Signs in until it is on another server than `other`.
async fn sign_in_elsewhere(site: Site<'_>, browser: &Browser, name: &str, other: &str) -> Result<Page> {
    for _ in 0..ATTEMPTS {
        let (page, server) = sign_in(site, browser, name).await?;
        if server != other {
            return Ok(page);
        }
        // Servers take turns, and a page always makes the same number of requests: one more shifts the turn.
        reqwest::get(site.0).await?;
    }
    bail!("{name} came to server {other} {ATTEMPTS} times")
}

/// Opens the page for a user; gives the server's id as the page shows it, too.
async fn sign_in((url, key): Site<'_>, browser: &Browser, name: &str) -> Result<(Page, String)> {
    let user = User::new(&name.to_lowercase(), name);
    let link = format!("{}/#token={}", url.trim_end_matches('/'), key.token(&user)?);
    let page = browser.open(&link).await?;
    let connected = "document.getElementById('status')?.textContent.includes('connected') \
                     && !document.getElementById('status').textContent.includes('disconnected')";
    page.shows(&format!("{name} is connected"), connected).await?;
    let server =
        page.shows("the server id", "document.getElementById('server')?.textContent").await?.to_string();
    println!("    {name} is on server {server}");
    Ok((page, server))
}

/// The position of the message with this text, once the page shows it, and shows it once.
async fn message(page: &Page, text: &str) -> Result<String> {
    let children = "[...document.getElementById('messages').querySelectorAll('[data-position]')]";
    let with_text = format!("{children}.filter(e => e.textContent.includes({text:?}))");
    let position = page
        .shows(&format!("a message {text:?} is shown"), &format!("{with_text}[0]?.dataset.position"))
        .await?;
    let count = page.evaluate(&format!("{with_text}.length")).await?;
    ensure!(count == json!(1), "the message is shown {count} times");
    Ok(position.as_str().unwrap_or_default().to_owned())
}
