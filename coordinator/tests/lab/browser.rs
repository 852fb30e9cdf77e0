//! Debian's Chromium, driven over WebDriver by its ChromeDriver: a profile of its own, in a folder of its own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ureq::http::Method;
use url::Url;

use super::{free_port, wait};

const CHROMIUM: &str = "/usr/bin/chromium";
/// No sandbox below root, no window, and nothing that asks the network by itself.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page.
pub(crate) struct Browser {
    driver: Child,
    runtime: Runtime,
    client: Option<Client>,
    base: String,
    _profile: TempDir,
}

/// A command that ChromeDriver has beyond the standard.
#[derive(Debug)]
struct Chrome(&'static str, Value);

impl WebDriverCompatibleCommand for Chrome {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// A browser for what listens at this port of loopback.
    pub(crate) fn start(port: u16) -> Self {
        let (own, profile) = (
            free_port(),
            TempDir::new().expect("a folder for the browser"),
        );
        let driver = Command::new("chromedriver")
            .arg(format!("--port={own}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.expect("it runs");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.push("--window-size=1280,900".to_owned());
        let wanted = json!({
            "goog:loggingPrefs": {"browser": "ALL"}, "goog:chromeOptions": {"binary": CHROMIUM, "args": flags},
        });
        let wanted = wanted.as_object().expect("an object").clone();
        let client = wait("the browser starts", || {
            let connecting = async {
                let mut builder = ClientBuilder::new(HttpConnector::new());
                builder
                    .capabilities(wanted.clone())
                    .connect(&format!("http://127.0.0.1:{own}"))
                    .await
            };
            runtime.block_on(connecting).ok()
        });
        Self {
            driver,
            runtime,
            client: Some(client),
            base: format!("http://127.0.0.1:{port}"),
            _profile: profile,
        }
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is open")
    }

    /// Opens a page, by its path or its whole address.
    pub(crate) fn go(&self, path: &str) {
        let address = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        self.runtime
            .block_on(self.client().goto(&address))
            .expect("the page opens");
    }

    /// Has a script run, and gives what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        let ran = self
            .runtime
            .block_on(self.client().execute(script, Vec::new()));
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Has a script run that says when it is done, by its last argument.
    pub(crate) fn run_until(&self, script: &str, argument: Value) -> Value {
        let ran = self
            .runtime
            .block_on(self.client().execute_async(script, vec![argument]));
        ran.expect("the script ends")
    }

    /// Waits until an expression is true.
    pub(crate) fn wait(&self, what: &str, expression: &str) {
        wait(what, || {
            (self.run(&format!("return !!({expression})")) == true).then_some(())
        });
    }

    /// Waits until the text of the page holds something.
    pub(crate) fn wait_text(&self, text: &str) {
        self.wait(
            text,
            &format!("document.body.innerText.includes({})", json!(text)),
        );
    }

    /// Types into a field that is empty.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.element(
            selector,
            |element| async move { element.send_keys(text).await },
        );
    }

    /// Clicks.
    pub(crate) fn click(&self, selector: &str) {
        self.element(selector, |element| async move { element.click().await });
    }

    fn element<F>(&self, selector: &str, act: impl FnOnce(fantoccini::elements::Element) -> F)
    where
        F: Future<Output = Result<(), fantoccini::error::CmdError>>,
    {
        let acting = async {
            let found = self
                .client()
                .find(fantoccini::Locator::Css(selector))
                .await?;
            act(found).await
        };
        self.runtime
            .block_on(acting)
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Presses keys where the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let pressing = async { self.client().active_element().await?.send_keys(keys).await };
        self.runtime
            .block_on(pressing)
            .expect("the keys are pressed");
    }

    fn chrome(&self, path: &'static str, body: Value) -> Value {
        self.runtime
            .block_on(self.client().issue_cmd(Chrome(path, body)))
            .expect("ChromeDriver knows it")
    }

    /// Makes the window so wide, and light or dark.
    pub(crate) fn look(&self, width: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.chrome(
            "goog/cdp/execute",
            json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size}),
        );
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.chrome(
            "goog/cdp/execute",
            json!({"cmd": "Emulation.setEmulatedMedia", "params": media}),
        );
    }

    /// What its console said since it was asked last.
    pub(crate) fn said(&self) -> Vec<String> {
        let said = self.chrome("se/log", json!({"type": "browser"}));
        let lines = said.as_array().expect("a list");
        lines
            .iter()
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Logs in.
    pub(crate) fn log_in(&self, name: &str, password: &str) {
        self.go("/login");
        self.fill("#name", name);
        self.fill("#password", password);
        self.click("button.main");
        self.wait("the overview", "document.getElementById('verdict')");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(5), client.close()).await
            });
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
