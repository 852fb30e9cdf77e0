//! A coordinator as a process of its own, and HTTP to it.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey, spki::der::pem::LineEnding};
use serde_json::Value;
use tempfile::TempDir;

use super::{Broker, Database, free_port, wait};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_garita-coordinator");
/// The key that signs; sensors of the tests know its public half.
const SEED: [u8; 32] = [7; 32];

/// A configuration, and the process that runs with it.
pub(crate) struct Coordinator {
    folder: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) etag: Option<String>,
    /// The cookie that was set, without what goes with it.
    pub(crate) cookie: Option<String>,
    pub(crate) kind: String,
    pub(crate) body: Value,
}

impl Coordinator {
    /// Configured, and not running yet. `settings` are further lines of TOML.
    pub(crate) fn new((broker, database): (&Broker, &Database), settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder for the coordinator");
        let key = SigningKey::from_bytes(&SEED)
            .to_pkcs8_pem(LineEnding::LF)
            .expect("a key");
        std::fs::write(folder.path().join("ops-1.pem"), key.as_bytes())
            .expect("the folder can be written");
        let port = free_port();
        let text = format!(
            "database.url = \"{}\"\nmqtt.url = \"{}\"\nhttp.listen = \"127.0.0.1:{port}\"\norders.key = \"{}\"\n{settings}",
            database.url(),
            broker.url(),
            folder.path().join("ops-1.pem").display()
        );
        std::fs::write(folder.path().join("coordinator.toml"), text)
            .expect("the folder can be written");
        Self {
            folder,
            port,
            child: None,
        }
    }

    /// Configured, running, and hearing.
    pub(crate) fn start(about: (&Broker, &Database), settings: &str) -> Self {
        let mut coordinator = Self::new(about, settings);
        coordinator.run();
        coordinator.wait_ready();
        coordinator
    }

    /// Runs.
    pub(crate) fn run(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log"))
            .expect("the folder can be written");
        let child = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the program is built"));
    }

    /// Waits until it hears the broker and the database.
    pub(crate) fn wait_ready(&self) {
        wait("the coordinator is ready", || {
            let answer = self.try_get("/readyz")?;
            (answer.status == 200).then_some(())
        });
    }

    /// Whether it is ready, and takes messages in.
    pub(crate) fn leads(&self) -> bool {
        let answer = self.try_get("/readyz");
        answer.is_some_and(|answer| answer.status == 200 && answer.body["leads"] == true)
    }

    /// Kills it with all it has in memory.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("coordinator.toml")
    }

    /// A command of the program.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--config").arg(self.config());
        command
            .stdin(Stdio::null())
            .output()
            .expect("the program is built")
    }

    /// A token of a role, limited to a site where one is named.
    pub(crate) fn token(&self, role: &str, site: Option<&str>) -> String {
        let name = format!("{role}-{}", site.unwrap_or("all"));
        let mut arguments = vec!["token", "create", "--name", &name, "--role", role];
        if let Some(site) = site {
            arguments.extend(["--site", site]);
        }
        let made = self.cli(&arguments);
        let error = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success() && error.is_empty(), "{error}");
        let text = String::from_utf8(made.stdout).expect("a token is text");
        let token = text.strip_suffix('\n').expect("it stands on a line");
        assert!(
            !token.contains(char::is_whitespace),
            "the token alone: {token:?}"
        );
        token.to_owned()
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(
            ("GET", path),
            &[("authorization", &format!("Bearer {token}"))],
            None,
        )
    }

    /// All items of a listing.
    pub(crate) fn all(&self, token: &str, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        self.each(token, path, |item| items.push(item.clone()));
        items
    }

    /// Goes through a listing, page by page.
    pub(crate) fn each(&self, token: &str, path: &str, mut item: impl FnMut(&Value)) {
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let answer = self.get(token, &format!("{path}{joint}limit=1000{cursor}"));
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let items = answer.body["items"].as_array().expect("a listing");
            items.iter().for_each(&mut item);
            match answer.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return,
            }
        }
    }

    pub(crate) fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.ask(
            ("POST", path),
            &[("authorization", &format!("Bearer {token}"))],
            Some(&body.to_string()),
        )
    }

    /// Its figures, once it gives them.
    pub(crate) fn figures(&self) -> Option<String> {
        self.try_get("/metrics")?.body.as_str().map(str::to_owned)
    }

    /// Memory it holds, KiB.
    pub(crate) fn resident(&self) -> Option<u64> {
        let pid = self.child.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().split(' ').next()?.parse().ok()
    }

    fn try_get(&self, path: &str) -> Option<Answer> {
        self.try_ask(("GET", path), &[], None)
    }

    pub(crate) fn ask(
        &self,
        line: (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        self.try_ask(line, headers, body)
            .unwrap_or_else(|| panic!("{line:?}: no answer; {}", self.log()))
    }

    fn try_ask(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Option<Answer> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .max_redirects(0)
            .build()
            .new_agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body.unwrap_or_default().to_owned())
            .expect("a request");
        let mut response = agent.run(request).ok()?;
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let cookie = header("set-cookie")
            .map(|cookie| cookie.split(';').next().unwrap_or_default().to_owned());
        let (etag, kind) = (header("etag"), header("content-type").unwrap_or_default());
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().ok()?;
        Some(Answer {
            status,
            etag,
            cookie,
            kind,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        })
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the coordinator said:\n{}", self.log());
        }
    }
}

/// The public half of the key that signs.
pub(crate) fn public_key() -> ed25519_dalek::VerifyingKey {
    SigningKey::from_bytes(&SEED).verifying_key()
}
