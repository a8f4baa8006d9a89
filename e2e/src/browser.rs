//! Headless Chromium, driven over the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/tot/>).

mod devtools;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::eventually::eventually;
use crate::process::{append, find, tail};

use devtools::DevTools;

/// How long the browser may take to start.
const START: Duration = Duration::from_secs(60);
/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_secs(45);

/// A running browser; ends when dropped.
#[derive(Debug)]
pub struct Browser {
    devtools: DevTools,
    _process: Child,
}

/// A page in it.
#[derive(Clone, Debug)]
pub struct Page {
    devtools: DevTools,
    session: String,
}

impl Browser {
    /// Starts Chromium with a fresh profile in `profile`, and its output in `log`.
    pub async fn start(profile: &Path, log: &Path) -> Result<Self> {
        let program = find("chromium").context("no chromium on this machine: apt-get install chromium")?;
        match std::fs::remove_dir_all(profile) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir_all(profile)?,
        }
        let output = append(log)?;
        let process = Command::new(program)
            .args(flags(profile))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start chromium")?;
        let url = eventually("chromium listens", START, || endpoint(profile)).await;
        let url = url.with_context(|| tail(log))?;
        Ok(Self { devtools: DevTools::connect(&url).await?, _process: process })
    }

    /// Opens a page in a context of its own: no cookie or storage is shared with the others.
    pub async fn open(&self, url: &str) -> Result<Page> {
        let context = self.devtools.call("Target.createBrowserContext", json!({})).await?;
        let context = text(&context, "browserContextId")?;
        let size = json!({ "url": url, "browserContextId": context, "width": 1000, "height": 700 });
        let target = text(&self.devtools.call("Target.createTarget", size).await?, "targetId")?;
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&self.devtools.call("Target.attachToTarget", attach).await?, "sessionId")?;
        Ok(Page { devtools: self.devtools.clone(), session })
    }
}

impl Page {
    /// Waits until the JavaScript expression `script` has a value that is not false, null or empty, and returns it.
    pub async fn shows(&self, what: &str, script: &str) -> Result<Value> {
        eventually(what, PATIENCE, || async {
            let value = self.evaluate(script).await?;
            let empty = value.is_null() || value == json!(false) || value == json!("");
            ensure!(!empty, "the page has {value}");
            Ok(value)
        })
        .await
    }

    /// The value of a JavaScript expression.
    pub async fn evaluate(&self, script: &str) -> Result<Value> {
        let params = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", params).await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            bail!("`{script}` threw {exception}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Types into the element with this id, as a keyboard would.
    pub async fn type_into(&self, id: &str, content: &str) -> Result<()> {
        let found = self.evaluate(&format!("document.getElementById({id:?})?.focus() === undefined")).await?;
        ensure!(found == json!(true), "the page has no element #{id}");
        self.call("Input.insertText", json!({ "text": content })).await?;
        Ok(())
    }

    /// Presses and releases the mouse's button in the middle of the element with this id.
    pub async fn click(&self, id: &str) -> Result<()> {
        let script = format!(
            "(() => {{ const r = document.getElementById({id:?}).getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let place = self.evaluate(&script).await?;
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Writes a picture of the page, PNG, to `file`.
    pub async fn screenshot(&self, file: &Path) -> Result<PathBuf> {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let picture = STANDARD.decode(text(&answer, "data")?).context("the picture is not base64")?;
        std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file.to_path_buf())
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.devtools.call_in(Some(&self.session), method, params).await
    }
}

/// No window, no background traffic; the sandbox needs rights that root in a container lacks.
fn flags(profile: &Path) -> Vec<String> {
    let mut flags: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-port=0",
    ]
    .map(str::to_owned)
    .into();
    flags.push(format!("--user-data-dir={}", profile.display()));
    flags.push("about:blank".to_owned());
    flags
}

/// The address that Chromium writes down once it listens: port and path, a line each.
async fn endpoint(profile: &Path) -> Result<String> {
    let written = tokio::fs::read_to_string(profile.join("DevToolsActivePort")).await?;
    let mut lines = written.lines();
    let (Some(port), Some(path)) = (lines.next(), lines.next()) else { bail!("it is half written") };
    Ok(format!("ws://127.0.0.1:{port}{path}"))
}

fn text(answer: &Value, field: &str) -> Result<String> {
    let value = answer[field].as_str();
    Ok(value.with_context(|| format!("chromium answered without {field}: {answer}"))?.to_owned())
}
