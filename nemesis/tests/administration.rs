//! Faults that ask the cluster for something, against a cluster that is told
//! what to answer: each counts only by what the nodes say of themselves.

mod painted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use painted::Painted;
use tribunal_nemesis::nemesis::Limits;
use tribunal_nemesis::process::{Exit, Killed, Paused, ProcessError, ProcessState, Resumed};
use tribunal_nemesis::schedule::Schedule;
use tribunal_nemesis::{
    Administration, Cluster, CrashPlace, FaultReport, Leader, Members, Nemesis, Network, Node,
    Outcome, Pending, Processes, Standing,
};

const NODES: usize = 3;

/// Three nodes of which the first leads.
struct Told {
    standings: Mutex<BTreeMap<Node, Standing>>,
    /// Whether what is asked takes effect.
    obeys: bool,
    /// Processes that do not run.
    absent: BTreeSet<Node>,
}

impl Told {
    fn new(obeys: bool) -> Told {
        let members = Members {
            voters: (1..=NODES as Node).collect(),
            ..Members::default()
        };
        let standing = |node: Node| Standing {
            epoch: 4,
            leads: node == 1,
            compacted: 10,
            members: Some(members.clone()),
        };
        let standings = (1..=NODES as Node).map(|node| (node, standing(node)));
        Told {
            standings: Mutex::new(standings.collect()),
            obeys,
            absent: BTreeSet::new(),
        }
    }

    /// Changes what is said, if the cluster obeys, and answers that it did.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Node, Standing>)) -> Result<(), String> {
        if self.obeys {
            change(&mut self.standings.lock().unwrap());
        }
        Ok(())
    }

    fn change_members(
        &self,
        leader: Node,
        change: impl FnOnce(&mut Members),
    ) -> Pending<'_, Result<(), String>> {
        let done = self.change(|standings| {
            let leader = standings.get_mut(&leader).expect("it is asked");
            change(leader.members.as_mut().expect("it has members"));
        });
        Box::pin(async { done })
    }
}

impl Administration for Told {
    fn standings(&self) -> Pending<'_, BTreeMap<Node, Standing>> {
        Box::pin(async { self.standings.lock().unwrap().clone() })
    }

    fn remove(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>> {
        self.change_members(leader, |members| {
            members.voters.remove(&node);
        })
    }

    /// A learner first, then a voter.
    fn add(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>> {
        self.change_members(leader, |members| {
            if members.learners.remove(&node) {
                members.voters.insert(node);
            } else {
                members.learners.insert(node);
            }
        })
    }

    /// As a leader that made way: it cannot say that it worked out.
    fn transfer(&self, leader: Node, to: Node) -> Pending<'_, Result<(), String>> {
        let _ = self.change(|standings| {
            standings.get_mut(&leader).expect("it is asked").leads = false;
            let next = standings.get_mut(&to).expect("it is a node");
            (next.leads, next.epoch) = (true, next.epoch + 1);
        });
        Box::pin(async { Err("the leader stepped down".to_owned()) })
    }

    fn compact(&self, node: Node) -> Pending<'_, Result<(), String>> {
        let done = self.change(|standings| {
            standings.get_mut(&node).expect("it is asked").compacted += 7;
        });
        Box::pin(async { done })
    }
}

impl Cluster for Told {
    fn nodes(&self) -> Vec<Node> {
        (1..=NODES as Node).collect()
    }
    fn leader(&self) -> Pending<'_, Option<Leader>> {
        Box::pin(async { Some(Leader { node: 1, epoch: 4 }) })
    }
    fn ready(&self, _: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
    fn crash_code(&self) -> Option<i32> {
        None
    }
    fn crash_at(&self, _: Node, _: Option<&CrashPlace>) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Err("it cannot be asked".to_owned()) })
    }
    fn administration(&self) -> Option<&dyn Administration> {
        Some(self)
    }
    fn processes(&self) -> &dyn Processes {
        self
    }
    fn network(&self) -> &dyn Network {
        &Painted
    }
}

impl Processes for Told {
    fn state(&self, node: Node) -> ProcessState {
        match self.absent.contains(&node) {
            true => ProcessState::Absent,
            false => ProcessState::Running { pid: node.into() },
        }
    }
    fn kill(&self, node: Node) -> Pending<'_, Result<Killed, ProcessError>> {
        Box::pin(async move { Err(ProcessError::Absent { node }) })
    }
    fn restart(&self, node: Node) -> Pending<'_, Result<u32, ProcessError>> {
        Box::pin(async move { Err(ProcessError::Absent { node }) })
    }
    fn expect_exit(&self, node: Node, _: Option<i32>) -> Result<(), ProcessError> {
        Err(ProcessError::Absent { node })
    }
    fn ended(&self, _: Node) -> Pending<'_, Exit> {
        Box::pin(std::future::pending())
    }
    fn pause(&self, node: Node) -> Pending<'_, Result<Paused, ProcessError>> {
        Box::pin(async move { Err(ProcessError::Absent { node }) })
    }
    fn resume(&self, node: Node) -> Pending<'_, Result<Resumed, ProcessError>> {
        Box::pin(async move { Err(ProcessError::Absent { node }) })
    }
}

/// What becomes of one fault; and of the nemesis, for what it heals at last.
async fn report(cluster: Told, fault: &str) -> (FaultReport, Nemesis, Arc<Told>) {
    let text = format!(r#"{{"faults": [{{"at":"1ms","for":"200ms",{fault}}}]}}"#);
    let schedule = Schedule::parse(Path::new("test"), &text, NODES).unwrap();
    let limits = Limits {
        rejoin: Duration::from_millis(200),
        ..Limits::default()
    };
    let cluster = Arc::new(cluster);
    let nemesis = Nemesis::with_limits(cluster.clone(), Instant::now(), |_| {}, limits);
    nemesis.run(&schedule).await;
    (nemesis.reports().remove(0), nemesis, cluster)
}

#[tokio::test]
async fn a_member_is_gone_by_the_leaders_word_and_back_by_the_same() {
    let fault = r#""fault":"membership","targets":["n3"]"#;
    let (report, nemesis, cluster) = report(Told::new(true), fault).await;
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    assert!(report.effective && report.healed, "{report:?}");
    let says = &report.evidence.says;
    assert!(
        says.starts_with("n3 is no member of what n1 (epoch 4) has committed; 2 voters left"),
        "{says}"
    );
    let members = cluster.standings.lock().unwrap()[&1].members.clone();
    assert_eq!(members.unwrap().voters, BTreeSet::from([1, 2, 3]));
    assert!(nemesis.heal_all().await.complete());
}

#[tokio::test]
async fn a_removal_that_takes_effect_late_is_made_good_when_all_is_healed() {
    let fault = r#""fault":"membership","targets":["n3"]"#;
    let (_, nemesis, cluster) = report(Told::new(true), fault).await;
    let late = cluster.remove(1, 3);
    late.await.unwrap();
    assert!(nemesis.heal_all().await.complete());
    let members = cluster.standings.lock().unwrap()[&1].members.clone();
    assert!(members.unwrap().voters.contains(&3));
}

#[tokio::test]
async fn what_is_answered_and_not_seen_has_not_taken_effect() {
    for fault in [
        r#""fault":"membership","targets":["n3"]"#,
        r#""fault":"transfer","targets":["n3"]"#,
        r#""fault":"compact","targets":["n2"]"#,
    ] {
        let (report, ..) = report(Told::new(false), fault).await;
        assert_eq!(report.outcome, Outcome::Indeterminate, "{report:?}");
        assert!(!report.effective, "{report:?}");
        assert!(report.reason.is_some(), "{report:?}");
    }
}

#[tokio::test]
async fn nobody_is_removed_whom_the_others_cannot_do_without() {
    let mut cluster = Told::new(true);
    cluster.absent.insert(2);
    let fault = r#""fault":"membership","targets":["n3"]"#;
    let (report, _, cluster) = report(cluster, fault).await;
    assert_eq!(report.outcome, Outcome::Skipped, "{report:?}");
    let why = "without n3, 1 of 2 voters would be up";
    assert_eq!(report.reason.as_deref(), Some(why));
    let members = cluster.standings.lock().unwrap()[&1].members.clone();
    assert_eq!(members.unwrap().voters.len(), NODES);
}

#[tokio::test]
async fn leadership_moves_to_the_target_or_to_the_node_after_it() {
    for (wanted, target) in [("n3", "n3"), ("n1", "n2")] {
        let fault = format!(r#""fault":"transfer","targets":["{wanted}"]"#);
        let (report, ..) = report(Told::new(true), &fault).await;
        assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
        assert_eq!(report.targets, [target]);
        let said = format!("n1 led epoch 4; {target} leads epoch 5");
        assert!(report.evidence.says.starts_with(&said), "{report:?}");
    }
}

#[tokio::test]
async fn a_compaction_counts_by_where_the_log_begins_afterwards() {
    let fault = r#""fault":"compact","targets":["n2"]"#;
    let (report, ..) = report(Told::new(true), fault).await;
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    assert!(report.effective && report.healed, "{report:?}");
    let says = "the log of n2 begins behind 17, not 10";
    assert_eq!(report.evidence.says, says);
}

#[tokio::test]
async fn one_that_is_not_back_is_left_unhealed() {
    let cluster = Told::new(false);
    let change = |standings: &mut BTreeMap<Node, Standing>| {
        let leader = standings.get_mut(&1).expect("it leads");
        leader.members.as_mut().expect("it has some").is_changing = true;
    };
    change(&mut cluster.standings.lock().unwrap());
    let (told, nemesis, _) = report(cluster, r#""fault":"membership","targets":["n3"]"#).await;
    assert!(!told.healed, "{told:?}");
    let healing = nemesis.heal_all().await;
    assert!(healing.unhealed[0].starts_with("n3: it is not a voter again"));
}
