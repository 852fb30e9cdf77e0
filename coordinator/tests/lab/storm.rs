//! Sensors report, with every fault a network has, while coordinators, broker and database are killed at random moments.
//! What it comes to afterwards has to be what was sent, each once, or named as lost.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use contract::topics::Topic;
use serde_json::Value;

use super::{Broker, Coordinator, Database, Sensor, document, let_pass, wait, wait_for};

/// Every so many messages of all sensors one is sent twice, one is kept back until the next, one is lost on the way.
const TWICE: usize = 17;
const LATE: usize = 29;
const AWAY: usize = 41;
/// How often all sensors lose their connection at once.
const RECONNECTS: usize = 3;
/// How far the clock of every fifth sensor is ahead.
const AHEAD: Duration = Duration::from_secs(90);
/// How long the last message may be on its way after everything is up again: what is missing is asked for with waits that
/// double.
const SETTLES: Duration = Duration::from_secs(600);

const SETTINGS: &str = "intake.gap_tries = 20\nhttp.requests_per_minute = 1000000\n\
                        correlate.network_offenders = 1000000\ncorrelate.victim_offenders = 1000000\n";

/// How much of it.
pub(crate) struct Storm {
    pub(crate) sensors: usize,
    pub(crate) incidents: usize,
    pub(crate) kills: usize,
    /// Incidents a second.
    pub(crate) rate: usize,
    /// Where randomness begins, so that a run can be had again.
    pub(crate) seed: u64,
}

/// What it came to.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Kills of coordinators, of the broker, of the database.
    pub(crate) kills: [usize; 3],
    /// How long it took each time until another coordinator led and heard.
    pub(crate) changes: Vec<Duration>,
    /// Incidents stored.
    pub(crate) stored: usize,
    /// Numbers heard again, and named as lost.
    pub(crate) repeated: u64,
    pub(crate) lost: u64,
    /// From the last kill until everything had come.
    pub(crate) settled: Duration,
}

impl Storm {
    /// Lets it rage; panics where anything is missing or counted twice.
    pub(crate) fn rage(&self, mut broker: Broker, database: &Database) -> Aftermath {
        let mut random = Random(self.seed | 1);
        let count = if database.is_shared() { 2 } else { 1 };
        let mut coordinators: Vec<Coordinator> = (0..count)
            .map(|_| Coordinator::start((&broker, database), SETTINGS))
            .collect();
        let token = coordinators[0].token("viewer", None);
        let names = (0..self.sensors).map(|n| (format!("site-{}", n % 10), format!("s{n}")));
        let sensors: Vec<Sensor> = names
            .map(|(site, name)| Sensor::start(broker.port, &site, &name))
            .collect();
        for sensor in sensors.iter().step_by(5) {
            sensor.state().ahead = AHEAD;
        }
        let mut moments: Vec<usize> = (0..self.kills)
            .map(|_| random.below(self.incidents * 9 / 10))
            .collect();
        moments.sort_unstable();
        let mut aftermath = Aftermath::default();
        let begun = Instant::now();
        for n in 0..self.incidents {
            let due = Duration::from_secs_f64(n as f64 / self.rate as f64);
            if let Some(early) = due.checked_sub(begun.elapsed()) {
                let_pass(early);
            }
            if n > 0 && n % (self.incidents / (RECONNECTS + 1)) == 0 {
                sensors.iter().for_each(Sensor::reconnect);
            }
            report(&sensors[n % self.sensors], (n, self.sensors));
            while moments.first() == Some(&n) {
                moments.remove(0);
                let what = random.below(count + if database.is_shared() { 2 } else { 1 });
                match what.checked_sub(count) {
                    None => {
                        aftermath.kills[0] += 1;
                        aftermath.changes.extend(kill(&mut coordinators, what));
                    }
                    Some(0) => {
                        aftermath.kills[1] += 1;
                        broker.kill();
                    }
                    Some(_) => {
                        aftermath.kills[2] += 1;
                        database.kill();
                    }
                }
            }
        }
        let raged = Instant::now();
        let coordinator = &coordinators[0];
        coordinator.wait_ready();
        let sent: usize = sensors.iter().map(|sensor| sensor.state().sent.len()).sum();
        for sensor in &sensors {
            let (heard, lost, repeated) = whole((coordinator, &token), sensor);
            assert_eq!(heard + lost, sensor.state().sent.len() as u64);
            aftermath.lost += lost;
            aftermath.repeated += repeated;
        }
        aftermath.settled = raged.elapsed();
        let (mut ids, mut rows) = (HashSet::new(), 0);
        coordinator.each(&token, "/api/v1/incidents", |item| {
            rows += 1;
            ids.insert(item["id"].as_str().expect("it has a name").to_owned());
        });
        aftermath.stored = ids.len();
        assert_eq!(rows, ids.len(), "none is listed twice");
        assert_eq!(rows as u64 + aftermath.lost, sent as u64, "none is missing");
        aftermath
    }
}

/// One message, with its fault where it is its turn for one.
fn report(sensor: &Sensor, (n, sensors): (usize, usize)) {
    let offender = format!("203.{}.{}.{}", n / 65_536 % 256, n / 256 % 256, n % 256);
    let body = document::incident(
        (&offender, "scan"),
        sensor.topics.sensor(),
        &format!("i-{n}"),
    );
    let seq = sensor.note(Topic::Incident, &body);
    if n % AWAY == 1 || n % LATE == 1 {
        return;
    }
    sensor.send(seq);
    if n % TWICE == 1 {
        sensor.send(seq);
    }
    if n > sensors && (n - sensors) % LATE == 1 {
        // What this one kept back comes after what it preceded.
        sensor.send(seq - 1);
    }
}

/// Kills a coordinator and starts it again; how long it took until another one led, where it did before.
fn kill(coordinators: &mut [Coordinator], which: usize) -> Option<Duration> {
    let led = coordinators.len() > 1 && coordinators[which].leads();
    let killed = Instant::now();
    coordinators[which].kill();
    let took = led.then(|| {
        let other = &coordinators[1 - which];
        wait("another coordinator leads", || other.leads().then_some(()));
        killed.elapsed()
    });
    coordinators[which].run();
    took
}

/// Waits until nothing of a sensor is missing; what was heard of it, is lost, and was heard again.
fn whole((coordinator, token): (&Coordinator, &str), sensor: &Sensor) -> (u64, u64, u64) {
    let path = format!(
        "/api/v1/sensors/{}/{}",
        sensor.topics.site(),
        sensor.topics.sensor()
    );
    // It says in its status how far it has got, so that a tail that was lost is known of.
    sensor.tell_status("online");
    let sent = sensor.state().sent.len() as u64;
    wait_for(("the numbers are whole", SETTLES), || {
        let answer = coordinator.get(token, &path);
        let heard = &answer.body["sequences"][0];
        let number = |key: &str| heard[key].as_u64().unwrap_or(0);
        let lost = heard["lost"]
            .as_array()
            .map_or(0, |ranges| ranges.iter().map(span).sum());
        let is_whole =
            heard["gaps"].as_array().is_some_and(Vec::is_empty) && number("high") == sent;
        is_whole.then(|| (number("heard"), lost, number("repeated")))
    })
}

fn span(range: &Value) -> u64 {
    let end = |at: usize| range[at].as_u64().unwrap_or(0);
    end(1) - end(0) + 1
}

/// Numbers that look random, and are the same for the same beginning (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or(0)
    }
}
