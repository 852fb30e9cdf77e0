//! Three gateways with a sensor each, a broker and a coordinator: who is proven at two is kept out by the third's kernel, and
//! nobody else ever is. The programs are the real ones; the coordinator is asked over its API.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey, spki::der::pem::LineEnding};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::daemon::{Meter, Post};
use super::sensor::Sensor;
use super::testbed::{ATTACKER, SERVER};
use super::tools::hydra;
use crate::garita;
use crate::lines::PATIENCE;
use crate::netns::{Namespace, join};
use crate::process::Process;
use crate::skip::skip;

super::with_each_meter! {
    proven_at_two_is_blocked_at_the_third_and_nobody_else_is
}

/// Where the API listens, in the centre alone.
const API: &str = "127.0.0.1:8420";
/// From the second report until the third kernel keeps the offender out.
const PROMPT: Duration = Duration::from_secs(1);

/// The centre: a namespace that every gateway has a link to, the broker and the coordinator in it.
struct Centre {
    namespace: Namespace,
    folder: TempDir,
    coordinator: Process,
    token: String,
    _broker: Process,
}

fn proven_at_two_is_blocked_at_the_third_and_nobody_else_is(test: &str, meter: Meter) {
    let program = coordinator();
    if !program.exists() {
        return skip(test, "garita-coordinator is not built");
    }
    let Some(namespace) = Namespace::new(test, "centre") else {
        return;
    };
    let mut posts: Vec<Post> = (0..3).filter_map(|_| Post::new(test, meter, "")).collect();
    if posts.len() < 3 {
        return;
    }
    let mut centre = Centre::start(namespace, &mut posts);
    let [first, second, third] = posts.as_slice() else {
        return;
    };
    let mut sensors: Vec<Sensor> = posts.iter().map(Post::start).collect();
    centre.until("three sensors are online", |centre| {
        let sensors = centre.get("/api/v1/sensors");
        let online = sensors["items"].as_array()?.iter();
        (online.filter(|sensor| sensor["state"] == "online").count() == 3).then_some(())
    });

    let offender = ATTACKER[0];
    let servers = [first, second].map(|post| post.stage.sshd(&post.stage.server));
    let _search = hydra(first, SERVER[0]);
    sensors[0].until_blocked(offender);
    centre.until("the first report", |centre| {
        let heard = centre.get(&format!("/api/v1/incidents?offender={offender}"));
        (heard["items"].as_array()?.len() == 1).then_some(())
    });
    assert!(!is_in_set(third, offender), "one proof is not enough");
    let _search = hydra(second, SERVER[0]);
    sensors[1].until_blocked(offender);
    sensors[2].until("the third keeps it out", || {
        is_in_set(third, offender).then_some(())
    });
    let blocked = time::OffsetDateTime::now_utc();
    let block = centre.get("/api/v1/blocks")["items"][0].clone();
    assert_eq!(block["target"], format!("{offender}/32"), "{block}");
    let begun = block["begun"].as_str().expect("it began");
    let format = &time::format_description::well_known::Rfc3339;
    let begun = time::OffsetDateTime::parse(begun, format).expect("a moment");
    let took = blocked - begun;
    println!("{test}: the third kernel had it {took} after the second report");
    assert!(took < PROMPT, "{took}");
    drop(servers);

    // Whom nobody may block: a private address, a whole region, and what the third sensor itself exempts.
    for target in ["10.1.2.3", "192.168.0.0/16", "203.0.0.0/8", "127.0.0.1"] {
        let (status, answer) = centre.post(target, 600);
        assert_eq!(status, 422, "{target}: {answer}");
    }
    for target in ["203.0.113.1", "198.18.7.7"] {
        let (status, answer) = centre.post(target, 600);
        assert_eq!(status, 201, "{target}: {answer}");
        let order = centre.until("the third sensor answers", |centre| {
            let cause = answer["id"].as_str()?;
            let orders = centre.get(&format!("/api/v1/orders?cause={cause}&site=site-2"));
            let order = orders["items"][0].clone();
            ["refused", "done"]
                .iter()
                .any(|state| order["state"] == *state)
                .then_some(order)
        });
        assert_eq!(
            (&order["state"], &order["reason"]),
            (&json!("refused"), &json!("exempt")),
            "{order}"
        );
        assert!(!is_in_set(third, target.parse().expect("an address")));
    }

    // A sensor that was away gets what still holds when it is back, and nothing else.
    let away = sensors.pop().expect("the third");
    assert!(away.stop().success());
    centre.until("it is away", |centre| {
        let sensor = centre.get("/api/v1/sensors/site-2/gate-2");
        (sensor["state"] == "stopped").then_some(())
    });
    let (short, long): (IpAddr, IpAddr) = (
        "198.51.100.201".parse().expect("an address"),
        "198.51.100.202".parse().expect("an address"),
    );
    assert_eq!(centre.post(&short.to_string(), 2).0, 201);
    assert_eq!(centre.post(&long.to_string(), 600).0, 201);
    centre.until("the short one is over", |centre| {
        let blocks = centre.get(&format!("/api/v1/blocks?target={short}&state=expired"));
        (blocks["items"].as_array()?.len() == 1).then_some(())
    });
    let mut back = third.start();
    back.until("what still holds is there", || {
        is_in_set(third, long).then_some(())
    });
    assert!(!is_in_set(third, short), "what is over is not");
    assert!(is_in_set(third, offender), "what held before still does");

    // Somebody else's bouncer enforces what the sensors keep out, and lets go of what is taken back.
    let _bouncer = centre.bouncer();
    centre.until("the bouncer keeps both out", |centre| {
        [offender, long]
            .iter()
            .all(|address| centre.keeps_out(*address))
            .then_some(())
    });
    let blocks = centre.get(&format!("/api/v1/blocks?target={long}"));
    let id = blocks["items"][0]["id"].as_str().expect("it has a name");
    let withdraw = format!("DELETE /api/v1/blocks/{id} HTTP/1.0\r\nif-match: \"1\"");
    let (status, answer) = centre.ask(&withdraw, "");
    assert_eq!(status, 201, "{answer}");
    centre.until("the bouncer lets it go", |centre| {
        (!centre.keeps_out(long) && centre.keeps_out(offender)).then_some(())
    });
}

/// Whether the kernel has an address in its set, as `nft -j` tells it.
fn is_in_set(post: &Post, address: IpAddr) -> bool {
    let Some(text) = post.stage.nft("-j list set inet garita blocked4") else {
        return false;
    };
    let listed: Value = serde_json::from_str(&text).expect("nft prints JSON");
    let objects = listed["nftables"].as_array().expect("a list");
    let elements = objects
        .iter()
        .filter_map(|object| object["set"]["elem"].as_array());
    let address = address.to_string();
    let is_it = |element: &Value| {
        let value = if element["elem"].is_object() {
            &element["elem"]["val"]
        } else {
            element
        };
        value == &json!(address)
    };
    elements.flatten().any(is_it)
}

fn coordinator() -> std::path::PathBuf {
    let command = garita::command(&[]);
    let garita = std::path::Path::new(command.get_program());
    garita.with_file_name("garita-coordinator")
}

impl Centre {
    /// Links every gateway to it, starts broker and coordinator, and tells each sensor where to report and whom to obey.
    fn start(namespace: Namespace, posts: &mut [Post]) -> Self {
        for (number, post) in posts.iter().enumerate() {
            let link = format!("gate{number}");
            join((&namespace, &link), (&post.stage.gateway, "centre"));
            namespace.address(&link, &format!("198.18.{number}.1/30"));
            post.stage
                .gateway
                .address("centre", &format!("198.18.{number}.2/30"));
        }
        let folder = tempfile::tempdir().expect("a folder for the centre");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder can be written");
        };
        write(
            "mosquitto.conf",
            "user root\nlistener 1883\nallow_anonymous true\nlog_dest stderr\n",
        );
        let key = SigningKey::from_bytes(&[7; 32]).to_pkcs8_pem(LineEnding::LF);
        write("ops-1.pem", key.expect("a key").as_str());
        let settings = format!(
            "database.url = \"sqlite://{}\"\nmqtt.url = \"mqtt://127.0.0.1\"\nhttp.listen = \"{API}\"\n\
             orders.key = \"{}\"\nfleet.mode = \"enforce\"\n",
            path("coordinator.db"),
            path("ops-1.pem")
        );
        write("coordinator.toml", &settings);
        let mut broker = namespace.command("mosquitto");
        broker.args(["-c", &path("mosquitto.conf")]);
        let broker = Process::ready("mosquitto", broker, " running");
        let program = coordinator();
        let program = program.to_str().expect("UTF-8");
        let run = |arguments: &[&str]| {
            let mut command = namespace.command(program);
            command
                .args(arguments)
                .args(["--config", &path("coordinator.toml")]);
            command
        };
        let process = Process::start("garita-coordinator", run(&["serve"]));
        let obeyed = process.wait_for("report.command_keys = ");
        let (_, keys) = obeyed
            .split_once("report.command_keys = ")
            .expect("it says so");
        for (number, post) in posts.iter_mut().enumerate() {
            post.environment("GARITA__SENSOR__NAME", format!("gate-{number}"));
            post.configure(&format!(
                "sensor.site = \"site-{number}\"\nreport.url = \"mqtt://198.18.{number}.1\"\n\
                 report.command_keys = {keys}\npolicy.exempt = [\"198.18.7.0/24\"]\n"
            ));
        }
        let made = run(&["token", "create", "--name", "test", "--role", "responder"]).output();
        let token = String::from_utf8(made.expect("it runs").stdout).expect("a token is text");
        Self {
            token: token.trim().to_owned(),
            namespace,
            folder,
            coordinator: process,
            _broker: broker,
        }
    }

    /// Debian's CrowdSec bouncer, which asks us in place of CrowdSec and fills tables of its own here.
    fn bouncer(&self) -> Process {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let family = |name: &str| {
            format!(
                "  {name}: {{enabled: true, set-only: false, table: crowdsec-{name}, chain: crowdsec-chain}}\n"
            )
        };
        let settings = format!(
            "mode: nftables\npid_dir: {}\nupdate_frequency: 1s\ndaemonize: false\nlog_mode: stdout\nlog_level: info\n\
             api_url: http://{API}/\napi_key: {}\ndisable_ipv6: false\ndeny_action: DROP\ndeny_log: false\n\
             supported_decisions_types: [ban]\nblacklists_ipv4: crowdsec-blacklists\n\
             blacklists_ipv6: crowdsec6-blacklists\nnftables:\n{}{}prometheus: {{enabled: false}}\n",
            self.folder.path().display(),
            self.token,
            family("ipv4"),
            family("ipv6")
        );
        std::fs::write(self.folder.path().join("bouncer.yaml"), settings)
            .expect("the folder can be written");
        let mut command = self.namespace.command("crowdsec-firewall-bouncer");
        command.args(["-c", &path("bouncer.yaml")]);
        Process::start("crowdsec-firewall-bouncer", command)
    }

    /// Whether the bouncer keeps an address out.
    fn keeps_out(&self, address: IpAddr) -> bool {
        let mut command = self.namespace.command("nft");
        let listed = command
            .args(["list", "ruleset"])
            .output()
            .expect("nft starts");
        String::from_utf8_lossy(&listed.stdout).contains(&address.to_string())
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(&format!("GET {path} HTTP/1.0"), "");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Orders a block at every sensor.
    fn post(&self, target: &str, ttl: u64) -> (u16, Value) {
        let body = json!({"target": target, "ttl": ttl, "reason": "a test"}).to_string();
        self.ask("POST /api/v1/blocks HTTP/1.0", &body)
    }

    fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        let address: SocketAddr = API.parse().expect("an address");
        let text = self.namespace.run(|| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let request = format!(
                "{line}\r\nhost: centre\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                self.token,
                body.len()
            );
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            answer
        });
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (
            status.expect("a status"),
            serde_json::from_str(body).unwrap_or_default(),
        )
    }

    fn until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                self.coordinator.is_running(),
                "the coordinator ended before {what}"
            );
            assert!(
                Instant::now() < end,
                "it never came to this: {what}; {}",
                self.folder.path().display()
            );
            self.coordinator.said().stir(Duration::from_millis(20));
        }
    }
}
