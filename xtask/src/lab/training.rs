//! The large training set: every attack at its paces over both IP versions, and hard benign traffic.
//! It grows in place: captures that have their rows are kept, so an interrupted run goes on where it stopped.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use super::ambience::{self, THEMES};
use super::attacks::{ATTACKS, Pace};
use super::director::perform;
use super::frames;
use super::running::check_interrupted;
use super::scenario::{Label, Scenario, Split};
use super::topology::Family;

/// No capture grows beyond this: what it would say after, it has said.
const MAX_BYTES: u64 = 20_000_000;

/// A scenario and the capture it becomes, relative to the set.
struct Job {
    capture: String,
    scenario: Scenario,
}

/// How large a set to make.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    /// Different draws of every attack and theme.
    pub(crate) rounds: u32,
    pub(crate) jobs: usize,
    pub(crate) seed: u64,
    /// Part of the paths of the captures to make.
    pub(crate) only: String,
}

/// Makes what is missing of the set in `dir`.
pub(crate) fn make(dir: &Path, extent: &Extent) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let set = Set::open(dir)?;
    let queue = Mutex::new(plan(extent));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..extent.jobs {
            scope.spawn(|| {
                while let Some(job) = take(&queue) {
                    if check_interrupted().is_err() {
                        break;
                    }
                    if let Err(error) = set.add(&job) {
                        crate::lab::say(&format!("{}: {error:#}", job.capture));
                        lock(&failed).push(job.capture);
                    }
                }
            });
        }
    });
    check_interrupted()?;
    set.summary()?;
    let failed = lock(&failed);
    if !failed.is_empty() {
        bail!(
            "{} captures could not be made: {}",
            failed.len(),
            failed.join(", ")
        );
    }
    Ok(())
}

fn take(queue: &Mutex<VecDeque<Job>>) -> Option<Job> {
    lock(queue).pop_front()
}

/// A worker that died holding a lock left a whole value behind: rows are written in one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// All jobs, attacks and themes in turn, so that any beginning of the list is a mixture.
fn plan(extent: &Extent) -> VecDeque<Job> {
    let mut jobs = VecDeque::new();
    for round in 0..extent.rounds {
        let mut themes = THEMES.iter().cycle();
        for (index, attack) in ATTACKS.iter().enumerate() {
            // Each round takes another pace and family, so few rounds cover all.
            let turn = round as usize + index;
            let pace = attack.paces[turn % attack.paces.len()];
            let family = attack.families[turn / 2 % attack.families.len()];
            let name = format!("{:?}-{}-{round}", pace, word(family)).to_lowercase();
            let mut random = draw(extent.seed, attack.folder, round);
            let mut scenario = blank(&name, family, &mut random);
            // A password costs a server's delay of seconds, and a slow attack takes its time.
            if pace == Pace::Slow || attack.folder.starts_with("brute-force") {
                scenario.seconds += 80;
            }
            (attack.join)(&mut scenario, pace, &mut random);
            ambience::surround(&mut scenario, random.u8(5..=9), &mut random);
            jobs.push_back(Job {
                capture: format!("attack/{}/{name}.pcap", attack.folder),
                scenario,
            });
            if index % 2 == 0
                && let Some(theme) = themes.next()
            {
                jobs.push_back(benign(
                    theme,
                    round * 2 + u32::from(index / 2 >= THEMES.len()),
                    extent.seed,
                ));
            }
        }
    }
    jobs.retain(|job| job.capture.contains(&extent.only));
    jobs
}

fn benign(theme: &ambience::Theme, round: u32, seed: u64) -> Job {
    let mut random = draw(seed, theme.folder, round);
    // IPv4 only where addresses are translated.
    let family = if random.u8(..4) == 0 && !theme.folder.ends_with("nat") {
        Family::V6
    } else {
        Family::V4
    };
    let name = format!("{}-{round}", word(family));
    let mut scenario = blank(&name, family, &mut random);
    scenario.seconds = random.u64(90..150);
    // Benign traffic to be measured on must be unseen too.
    let kept = theme.plays.iter().any(|play| play.split == Split::Test);
    let split = if kept || round % 4 == 2 {
        Split::Test
    } else {
        Split::Train
    };
    scenario.theme = Some((split, theme.folder));
    scenario.chatter = random.u8(..12);
    ambience::stage(&mut scenario, theme, &mut random);
    Job {
        capture: format!("benign/{}/{name}.pcap", theme.folder),
        scenario,
    }
}

fn blank(name: &str, family: Family, random: &mut fastrand::Rng) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.family = family;
    scenario.seed = random.u64(..);
    scenario.seconds = random.u64(50..90);
    scenario
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "v4",
        Family::V6 => "v6",
    }
}

/// Chances of one draw, whatever else the set holds.
fn draw(seed: u64, folder: &str, round: u32) -> fastrand::Rng {
    // FNV-1a: stable over releases, unlike the standard library's hasher.
    let bytes = folder.bytes().chain(round.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    fastrand::Rng::with_seed(hash ^ seed)
}

/// The set on disk: captures, `labels.csv`, and `hours.csv` for rates of false blocks.
struct Set<'a> {
    dir: &'a Path,
    present: HashSet<String>,
    rows: Mutex<()>,
}

impl<'a> Set<'a> {
    fn open(dir: &'a Path) -> Result<Self> {
        for (file, header) in [
            ("labels.csv", "capture,attacker,victim,class,split,source\n"),
            ("hours.csv", "capture,seconds,benign_addresses\n"),
        ] {
            let path = dir.join(file);
            if !path.exists() {
                fs::write(&path, header)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let labels =
            fs::read_to_string(dir.join("labels.csv")).context("cannot read labels.csv")?;
        let present = labels
            .lines()
            .skip(1)
            .filter_map(|row| row.split(',').next());
        Ok(Self {
            dir,
            present: present.map(str::to_owned).collect(),
            rows: Mutex::new(()),
        })
    }

    fn add(&self, job: &Job) -> Result<()> {
        if self.present.contains(&job.capture) {
            return Ok(());
        }
        let path = self.dir.join(&job.capture);
        let folder = path.parent().context("a capture has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        perform(&job.scenario, &path)?;
        let (seconds, size) = trim(&path)?;
        let labels: String = job
            .scenario
            .labels()
            .iter()
            .map(|label| row(&job.capture, label))
            .collect();
        let hours = format!(
            "{},{seconds},{}\n",
            job.capture,
            job.scenario.benign_addresses()
        );
        let _turn = lock(&self.rows);
        append(&self.dir.join("hours.csv"), &hours)?;
        append(&self.dir.join("labels.csv"), &labels)?;
        crate::lab::say(&format!("{} {} kB, {seconds} s", job.capture, size / 1_000));
        Ok(())
    }

    /// Counts, for the person who waited.
    fn summary(&self) -> Result<()> {
        let labels =
            fs::read_to_string(self.dir.join("labels.csv")).context("cannot read labels.csv")?;
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for row in labels.lines().skip(1) {
            let cells: Vec<_> = row.split(',').collect();
            if let [_, _, _, class, split, _] = cells[..] {
                *counts.entry((class, split)).or_default() += 1;
            }
        }
        for ((class, split), count) in counts {
            crate::lab::say(&format!("{class:12} {split:6} {count}"));
        }
        let hours =
            fs::read_to_string(self.dir.join("hours.csv")).context("cannot read hours.csv")?;
        let minutes = hours.lines().skip(1).filter_map(|row| {
            let mut cells = row
                .split(',')
                .skip(1)
                .filter_map(|cell| cell.parse::<u64>().ok());
            Some(cells.next()? * cells.next()? / 60)
        });
        let minutes: u64 = minutes.sum();
        crate::lab::say(&format!(
            "{} h {} min of benign addresses",
            minutes / 60,
            minutes % 60
        ));
        Ok(())
    }
}

fn row(capture: &str, label: &Label) -> String {
    let Label {
        attacker,
        victim,
        class,
        split,
        source,
    } = label;
    format!(
        "{capture},{attacker},{victim},{},{},{source}\n",
        class.word(),
        split.word()
    )
}

fn append(path: &Path, rows: &str) -> Result<()> {
    let file = OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(rows.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Drops what is beyond the largest size; returns seconds and bytes left.
fn trim(path: &Path) -> Result<(u64, u64)> {
    let mut frames = frames::read(path)?;
    let mut size = 24;
    let fits = frames.iter().take_while(|frame| {
        size += 16 + frame.bytes.len() as u64;
        size <= MAX_BYTES
    });
    let fits = fits.count();
    if fits < frames.len() {
        frames.truncate(fits);
        frames::write(path, &frames)?;
    }
    let (first, last) = (frames.first(), frames.last());
    let micros = last
        .zip(first)
        .map_or(0, |(last, first)| last.at.saturating_sub(first.at));
    Ok((micros / 1_000_000, size.min(MAX_BYTES)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::scenario::Class;
    use super::*;

    #[test]
    fn captures_have_names_of_their_own() {
        let jobs = planned();
        let names: BTreeSet<_> = jobs.iter().map(|job| &job.capture).collect();
        assert_eq!(names.len(), jobs.len());
    }

    #[test]
    fn tools_kept_for_tests_attack_nobody_in_training() {
        let mut sources = [BTreeSet::new(), BTreeSet::new()];
        for label in planned().iter().flat_map(|job| job.scenario.labels()) {
            if label.class != Class::Benign {
                sources[label.split as usize].insert(label.source);
            }
        }
        let [train, test] = sources;
        assert!(train.len() > 5 && test.len() > 5);
        assert_eq!(train.intersection(&test).count(), 0);
    }

    #[test]
    fn a_plan_is_the_same_every_time() {
        let acts = |job: &Job| format!("{} {:?}", job.capture, job.scenario.acts);
        assert!(planned().iter().map(acts).eq(planned().iter().map(acts)));
    }

    fn planned() -> VecDeque<Job> {
        plan(&Extent {
            rounds: 8,
            jobs: 1,
            seed: 1,
            only: String::new(),
        })
    }
}
