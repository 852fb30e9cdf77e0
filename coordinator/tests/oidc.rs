//! Tokens of a real OpenID provider open the API as far as their claims go, and nothing else does; people who log in there come
//! back as themselves.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use coordinator::access::Role;
use coordinator::access::oidc::{LoginError, Provider};
use coordinator::config::Oidc;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{Broker, Coordinator, Database, free_port, skip_without};
use crate::skip::skip;

/// Where a browser would be sent back to.
const BACK: &str = "http://127.0.0.1:9/login";

/// A provider that runs.
struct Running {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Running {
    fn start(test: &str) -> Option<Self> {
        if skip_without(test, &["node"]) {
            return None;
        }
        let modules = modules();
        if !modules.join("oidc-provider").exists() {
            let why = format!("{} holds no oidc-provider", modules.display());
            skip(test, &why);
            return None;
        }
        let folder = TempDir::new().expect("a folder for the provider");
        let at = |name: &str| folder.path().join(name);
        let key = rcgen::KeyPair::generate().expect("a key");
        std::fs::write(at("key.pem"), key.serialize_pem()).expect("the folder can be written");
        std::fs::write(at("public.pem"), key.public_key_pem()).expect("the folder can be written");
        std::fs::write(at("provider.mjs"), include_str!("lab/provider.mjs"))
            .expect("the folder can be written");
        std::os::unix::fs::symlink(&modules, at("node_modules")).expect("a link to the modules");
        let port = free_port();
        let mut child = Command::new("node")
            .arg(at("provider.mjs"))
            .arg(port.to_string())
            .arg(at("key.pem"))
            .arg(BACK)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let mut said = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let line = said.next().expect("it says something").expect("in UTF-8");
        assert_eq!(line, "serving");
        // It must not find its stdout closed.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Some(Self {
            folder,
            port,
            child,
        })
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn settings(&self) -> Oidc {
        Oidc {
            issuer: self.issuer(),
            site_claim: "sites".to_owned(),
            ca_file: String::new(),
            ..Oidc::default()
        }
    }

    /// A program's token for somebody.
    fn token(&self, program: &str, resource: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", program),
            ("client_secret", "secret"),
            ("resource", resource),
            ("scope", "api"),
        ];
        let answer = ureq::post(format!("{}/token", self.issuer())).send_form(form);
        let answer: Value = answer
            .expect("it gives a token")
            .body_mut()
            .read_json()
            .expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// A token that the test signs itself, with the provider's key or otherwise.
    fn forged(&self, (algorithm, key): (Algorithm, &EncodingKey), change: Value) -> String {
        let now = coordinator::moment::now() / 1_000_000;
        let mut claims = json!({
            "iss": self.issuer(), "aud": "garita-coordinator", "sub": "siem", "iat": now, "exp": now + 60,
            "roles": ["garita-admin"], "sites": "*",
        });
        for (name, value) in change.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let header = Header {
            kid: Some("k1".to_owned()),
            ..Header::new(algorithm)
        };
        encode(&header, &claims, key).expect("it can be signed")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).expect("it was written")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `cargo xtask provision` puts the provider.
fn modules() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_garita-coordinator"));
    let target = program
        .parent()
        .and_then(Path::parent)
        .expect("a target folder");
    target.join("tools/oidc/node_modules")
}

#[test]
fn a_providers_token_opens_what_its_claims_say_and_a_forged_one_nothing() {
    let test = "a_providers_token_opens";
    if skip_without(test, &["mosquitto"]) {
        return;
    }
    let Some(provider) = Running::start(test) else {
        return;
    };
    let settings = format!(
        "oidc.issuer = \"{}\"\noidc.site_claim = \"sites\"\noidc.ca_file = \"\"\n",
        provider.issuer()
    );
    let (broker, database) = (Broker::start(), Database::sqlite());
    let coordinator = Coordinator::start((&broker, &database), &settings);
    let status = |token: &str| coordinator.get(token, "/api/v1/incidents").status;

    let siem = provider.token("siem", "urn:garita");
    assert_eq!(status(&siem), 200);
    let block = |site: &str| json!({"target": "198.51.100.9", "reason": "a test", "sites": [site]});
    assert_eq!(
        coordinator
            .post(&siem, "/api/v1/blocks", &block("north"))
            .status,
        201
    );
    assert_eq!(
        coordinator
            .post(&siem, "/api/v1/blocks", &block("south"))
            .status,
        403
    );
    let watcher = provider.token("watcher", "urn:garita");
    assert_eq!(status(&watcher), 200);
    assert_eq!(
        coordinator
            .post(&watcher, "/api/v1/blocks", &block("north"))
            .status,
        403
    );
    assert_eq!(
        status(&provider.token("stranger", "urn:garita")),
        401,
        "no role of ours"
    );
    assert_eq!(
        status(&provider.token("siem", "urn:other")),
        401,
        "for somebody else"
    );

    let own = EncodingKey::from_ec_pem(&provider.read("key.pem")).expect("a key");
    let es256 = (Algorithm::ES256, &own);
    assert_eq!(
        status(&provider.forged(es256, json!({}))),
        200,
        "the key is the provider's"
    );
    let past = coordinator::moment::now() / 1_000_000 - 120;
    for (change, why) in [
        (json!({"exp": past}), "expired"),
        (json!({"nbf": past + 600}), "not yet"),
        (json!({"iss": "http://127.0.0.1:9"}), "another issuer"),
        (json!({"aud": "somebody"}), "another audience"),
        (json!({"exp": null}), "for ever"),
        (json!({"roles": "garita-king"}), "no such role"),
        (json!({"sites": []}), "no site"),
    ] {
        assert_eq!(status(&provider.forged(es256, change)), 401, "{why}");
    }
    // The public key as a shared secret, another key, and no signature at all.
    let public = EncodingKey::from_secret(&provider.read("public.pem"));
    assert_eq!(
        status(&provider.forged((Algorithm::HS256, &public), json!({}))),
        401
    );
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let other = EncodingKey::from_ec_pem(other.as_bytes()).expect("a key");
    assert_eq!(
        status(&provider.forged((Algorithm::ES256, &other), json!({}))),
        401
    );
    let signed = provider.forged(es256, json!({}));
    let payload = signed.split('.').nth(1).expect("it has three parts");
    // {"alg":"none","typ":"JWT"}
    assert_eq!(
        status(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")),
        401
    );

    let audit = coordinator.cli(&["audit", "list", "--json"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(
        audit.contains("oidc siem"),
        "the audit trail names who it was: {audit}"
    );
}

#[test]
fn a_person_who_logs_in_at_the_provider_comes_back_once_as_themselves() {
    let Some(running) = Running::start("a_person_who_logs_in") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let provider = Provider::new(&running.settings())
            .expect("it is right")
            .expect("it is set");
        let (url, begun) = provider.begin(BACK).await.expect("the provider answers");
        let script = running.folder.path().join("person.mjs");
        std::fs::write(&script, include_str!("lab/person.mjs")).expect("the folder can be written");
        let went = Command::new("node")
            .arg(&script)
            .arg(&url)
            .output()
            .expect("node runs");
        let back = String::from_utf8_lossy(&went.stdout).trim().to_owned();
        let query = back.split_once('?').expect("it comes back").1;
        let said: HashMap<&str, &str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let brought = (said["code"], said["state"], BACK);
        let (_, other) = provider.begin(BACK).await.expect("the provider answers");
        let wrong = provider.finish((brought.0, brought.1, BACK), &other).await;
        assert!(matches!(wrong, Err(LoginError::Other)), "{wrong:?}");
        let who = provider
            .finish(brought, &begun)
            .await
            .expect("the code is good");
        assert_eq!((who.name.as_str(), who.role), ("oidc anna", Role::Analyst));
        assert_eq!(who.scope.0, ["north"]);
        assert!(
            provider.finish(brought, &begun).await.is_err(),
            "a code is good once"
        );
    });
}
