//! What a campaign must not ask: flags that contradict each other or mean
//! nothing together, each refused with what to type instead. Before anything
//! of the run exists.

use std::path::Path;

use tribunal_impls::adapter::{Capability, System};
use tribunal_nemesis::schedule::{self, DrawError, Schedule, Seconds, Targets};
use tribunal_nemesis::{Carrier, FaultKind, Role, Shape, Target};

use super::config::Campaign;
use super::words::List;
use crate::exit::usage;
use crate::units::Time;
use crate::workload::{Asks, WORKLOADS};

impl Campaign {
    /// Refuses times with which nothing could be asked, or no node would start.
    pub(super) fn check_times(&self) -> anyhow::Result<()> {
        for (flag, time) in [("--time", self.time), ("--timeout", self.timeout)] {
            if time.0.is_zero() {
                return Err(usage(format!("expected {flag} to be more than 0")));
            }
        }
        let in_milliseconds = [
            ("--crash-lag", self.crash_lag),
            ("--election-timeout", self.election_timeout),
            ("--heartbeat", self.heartbeat),
            ("--disk-delay", self.disk_delay),
            ("--disk-jitter", self.disk_jitter),
        ];
        for (flag, time) in in_milliseconds {
            let fine = time.filter(|time| !time.0.subsec_nanos().is_multiple_of(1_000_000));
            if let Some(time) = fine {
                return Err(usage(format!(
                    "expected {flag} in whole milliseconds, not {time}"
                )));
            }
        }
        let spans = self.tuning().spans();
        spans.check().map_err(|why| {
            let (heartbeat, election) = (Time(spans.heartbeat), Time(spans.election));
            usage(format!(
                "no node would start with --heartbeat {heartbeat} --election-timeout {election}: \
                 {why}; try an election timeout of several heartbeats"
            ))
        })
    }

    /// Refuses what the system cannot be asked for.
    pub(super) fn check_abilities(
        &self,
        system: &dyn System,
        faults: &[FaultKind],
    ) -> anyhow::Result<()> {
        if faults.contains(&FaultKind::CrashAt) && system.crash_code().is_none() {
            return Err(usage(format!(
                "the nodes of {} cannot be asked to crash at a place; leave out crash-at, or try kill",
                system.name()
            )));
        }
        let (name, known) = (system.name(), system.capabilities());
        let lacks = |kind: &FaultKind| needs(*kind).is_some_and(|need| !known.contains(&need));
        if let Some(kind) = faults.iter().find(|kind| lacks(kind)) {
            let fits = List(faults.iter().copied().filter(|kind| !lacks(kind)).collect());
            return Err(usage(format!(
                "{name} cannot be asked for a {kind}; try --faults {fits}"
            )));
        }
        let workload = self.workload();
        if workload.needs.is_some_and(|need| !known.contains(&need)) {
            return Err(usage(format!(
                "{name} cannot serve the workload {}; try --workload {}",
                workload.name, WORKLOADS[0].name
            )));
        }
        if self.retry && workload.needs == Some(Capability::LocalReads) {
            return Err(usage(format!(
                "a command that is sent again is answered with the position of the last time; \
                 leave out --retry, or the workload {}",
                workload.name
            )));
        }
        if self.retry && workload.asks == Asks::Transactions {
            return Err(usage(format!(
                "a transaction carries no ticket by which a second copy would be told, so that \
                 none is sent twice; leave out --retry, or the workload {}",
                workload.name
            )));
        }
        let most = workload.usual.keys_max;
        if self.keys > most {
            return Err(usage(format!(
                "expected --keys of at most {most} for the workload {}, not {}",
                workload.name, self.keys
            )));
        }
        match self.compact_after {
            Some(after) if !known.contains(&Capability::Compaction) => Err(usage(format!(
                "{name} has no log to compact; leave out --compact-after {after}"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses a place to crash whose kind of message or record the system
    /// does not have.
    pub(super) fn check_crashes(
        &self,
        system: &dyn System,
        schedule: &Schedule,
    ) -> anyhow::Result<()> {
        let kinds = system.crash_kinds();
        let choices = self.crash_after.iter().flat_map(|list| &list.0);
        let asked = choices.map(|choice| &choice.output);
        let scheduled = schedule
            .faults
            .iter()
            .filter_map(|fault| fault.crash.as_ref());
        for output in asked.chain(scheduled.map(|place| &place.after)) {
            let (Some(carrier), Some(of)) = (output.after.is_a(), &output.of) else {
                continue;
            };
            let known = match carrier {
                Carrier::Message => &kinds.messages,
                Carrier::Record => &kinds.records,
            };
            if !known.contains(of) {
                return Err(usage(format!(
                    "{} has no {carrier} `{of}` to crash after; there are: {}",
                    system.name(),
                    List(known.clone())
                )));
            }
        }
        Ok(())
    }

    /// Refuses what is asked to hit whoever has a role, where no node has it;
    /// `known` are those that there are.
    pub(super) fn check_roles(&self, known: &[Role]) -> anyhow::Result<()> {
        for aim in self.targets.iter().flat_map(|list| &list.0) {
            let may_hit = aim.fault.map_or(Target::ALL, FaultKind::targets);
            let said = format!("--targets {aim}");
            self.check_role(&said, aim.target.role(), targets(may_hit, known), known)?;
        }
        for shape in self.shapes.iter().flat_map(|list| &list.0) {
            let said = format!("--shapes {shape}");
            self.check_role(&said, shape.role(), shapes(known), known)?;
        }
        Ok(())
    }

    /// The same of a schedule that was read from a file.
    pub(super) fn check_roles_scheduled(
        &self,
        path: &Path,
        schedule: &Schedule,
        known: &[Role],
    ) -> anyhow::Result<()> {
        for fault in &schedule.faults {
            let Targets::Role(role) = fault.targets else {
                continue;
            };
            let (path, kind, at) = (path.display(), fault.fault, Seconds(fault.at));
            let said = format!("{path}: the {kind} at {at}, on {role},");
            let there_are = match fault.fault {
                FaultKind::Partition => shapes(known),
                kind => targets(kind.targets(), known),
            };
            self.check_role(&said, Some(role), there_are, known)?;
        }
        Ok(())
    }

    /// Refuses a role that is not among those known, with what there is.
    fn check_role(
        &self,
        said: &str,
        needed: Option<Role>,
        there_are: String,
        known: &[Role],
    ) -> anyhow::Result<()> {
        if Role::is_had(needed, known) {
            return Ok(());
        }
        let system = &self.system;
        Err(usage(format!(
            "{said} is about a role that no node of {system} has; there are the {there_are}"
        )))
    }

    /// Refuses what is said about faults that there will not be.
    pub(super) fn check_aims(&self) -> anyhow::Result<()> {
        let partition = [FaultKind::Partition];
        if let Some(aims) = &self.targets {
            for aim in &aims.0 {
                self.check_aim(&format!("--targets {aim}"), &aim.kinds())?;
            }
        }
        if let Some(shapes) = &self.shapes {
            self.check_aim(&format!("--shapes {shapes}"), &partition)?;
        }
        if let Some(cuts) = &self.cuts {
            self.check_aim(&format!("--cuts {cuts}"), &partition)?;
        }
        if let Some(after) = &self.crash_after {
            self.check_aim(&format!("--crash-after {after}"), &[FaultKind::CrashAt])?;
        }
        if let Some(within) = self.crash_within {
            self.check_aim(&format!("--crash-within {within}"), &[FaultKind::CrashAt])?;
            let mut after = self.crash_after.iter().flat_map(|list| &list.0);
            if self.crash_after.is_some() && after.all(|choice| choice.ordinal.is_some()) {
                return Err(usage(format!(
                    "--crash-within {within} has nothing to draw: --crash-after says of each output which"
                )));
            }
        }
        if let Some(lag) = self.crash_lag {
            self.check_aim(&format!("--crash-lag {lag}"), &[FaultKind::CrashAt])?;
        }
        let of_any = match self.faults.0.is_empty() {
            true => FaultKind::USUAL,
            false => FaultKind::ALL,
        };
        let paces = [
            ("--fault-interval", &self.fault_interval),
            ("--fault-lasts", &self.fault_lasts),
        ];
        for (flag, paces) in paces {
            for paced in paces.iter().flat_map(|paces| &paces.0) {
                let about = paced.fault.as_ref().map_or(of_any, std::slice::from_ref);
                self.check_aim(&format!("{flag} {paced}"), about)?;
            }
        }
        if let Some(quiet) = self.quiet {
            self.check_aim(&format!("--quiet {quiet}"), of_any)?;
        }
        Ok(())
    }

    /// Refuses what is about none of the faults asked for.
    fn check_aim(&self, said: &str, about: &[FaultKind]) -> anyhow::Result<()> {
        let faults = &self.faults;
        if about.iter().any(|kind| faults.0.contains(kind)) {
            return Ok(());
        }
        let about = List(about.to_vec());
        let both = List([&faults.0[..], &about.0[..]].concat());
        Err(usage(format!(
            "{said} is about {about}, but the faults are {faults}; \
             try --faults {both}, or leave it out"
        )))
    }

    /// What to type instead, where too few nodes are in the way.
    pub(super) fn mend(&self, error: &DrawError) -> String {
        if !matches!(error, DrawError::NoTarget { .. }) {
            return String::new();
        }
        let fits = |kind: &FaultKind| {
            let mut options = self.schedule_options();
            options.faults = vec![*kind];
            let drawn = schedule::draw(self.seed, &options);
            !matches!(drawn, Err(DrawError::NoTarget { .. }))
        };
        let faults = List(self.faults.0.iter().copied().filter(fits).collect());
        format!("; try more nodes, or --faults {faults}")
    }
}

/// The roles that a system's nodes say they have.
pub(super) fn roles(capabilities: &[Capability]) -> Vec<Role> {
    let says = |role: &Role| match role {
        Role::Leader => Capability::Leader,
        Role::Coordinator | Role::Prepared => Capability::Transactions,
    };
    let all = Role::ALL.iter().copied();
    all.filter(|role| capabilities.contains(&says(role)))
        .collect()
}

/// Those targets that need no other role than these, in words.
fn targets(all: &[Target], known: &[Role]) -> String {
    let has = |target: &Target| Role::is_had(target.role(), known);
    let all = all.iter().copied().filter(has).collect();
    format!("targets {}", List::<Target>(all))
}

/// Those shapes that need no other role than these, in words.
fn shapes(known: &[Role]) -> String {
    let has = |shape: &Shape| Role::is_had(shape.role(), known);
    let all = Shape::ALL.iter().copied().filter(has).collect();
    format!("shapes {}", List::<Shape>(all))
}

/// What a system must be able to do for a fault.
fn needs(kind: FaultKind) -> Option<Capability> {
    match kind {
        FaultKind::Membership => Some(Capability::Membership),
        FaultKind::Transfer => Some(Capability::Transfer),
        FaultKind::Compact => Some(Capability::Compaction),
        FaultKind::Kill | FaultKind::Pause | FaultKind::Partition | FaultKind::CrashAt => None,
    }
}

#[cfg(test)]
mod tests {
    use tribunal_impls::adapter::{
        Client, ClientError, ClientOptions, CommandLine, NodePlan, NodeStatus, Pending,
    };

    use super::*;
    use crate::campaign::config::tests::campaign;
    use crate::campaign::options::Options;

    #[test]
    fn what_is_about_other_faults_is_refused_with_the_mend() {
        let said = |faults: &str, set: fn(&mut Options)| {
            let mut options = Options {
                system: Some("raft".to_owned()),
                faults: Some(faults.parse().unwrap()),
                ..Options::default()
            };
            set(&mut options);
            Campaign::resolve(options).map_err(|error| error.to_string())
        };
        let aim: fn(&mut Options) = |o| o.targets = Some("pause:leader".parse().unwrap());
        let error = said("kill,partition", aim).unwrap_err();
        let mend = "try --faults kill,partition,pause";
        assert!(error.contains(mend), "{error}");
        assert!(said("kill,pause", aim).is_ok());
        let any: fn(&mut Options) = |o| o.targets = Some("leader".parse().unwrap());
        assert!(said("partition", any).is_err());
        assert!(said("pause", any).is_ok());
        let cuts: fn(&mut Options) = |o| o.cuts = Some("hold".parse().unwrap());
        assert!(said("kill", cuts).is_err());
        assert!(said("kill,partition", cuts).is_ok());
        let pace: fn(&mut Options) = |o| o.quiet = Some("1s".parse().unwrap());
        assert!(said("none", pace).is_err());
    }

    /// A system that is never started, with these capabilities.
    struct Deaf {
        known: &'static [Capability],
    }

    const DEAF: Deaf = Deaf { known: &[] };

    impl System for Deaf {
        fn name(&self) -> &str {
            "deaf"
        }
        fn command(&self, _: &NodePlan) -> CommandLine {
            unreachable!("nothing is started")
        }
        fn status<'a>(&'a self, _: &'a NodePlan) -> Pending<'a, Result<NodeStatus, ClientError>> {
            unreachable!("nobody is asked")
        }
        fn capabilities(&self) -> &[Capability] {
            self.known
        }
        fn client(&self, _: &NodePlan, _: &[NodePlan], _: &ClientOptions) -> Box<dyn Client> {
            unreachable!("nobody asks")
        }
    }

    #[test]
    fn a_crash_at_a_place_is_refused_where_nodes_cannot_be_asked() {
        let campaign = campaign("raft", 5);
        let refused = campaign.check_abilities(&DEAF, &[FaultKind::CrashAt]);
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("the nodes of deaf cannot"), "{error}");
        assert!(campaign.check_abilities(&DEAF, FaultKind::USUAL).is_ok());
    }

    #[test]
    fn a_place_to_crash_names_a_kind_that_the_system_has() {
        let campaign = campaign("raft", 5);
        let raft = crate::systems::start("raft", None, campaign.tuning()).unwrap();
        let asked = |after: &str| {
            let campaign = Campaign {
                crash_after: Some(after.parse().unwrap()),
                ..campaign.clone()
            };
            let checked = campaign.check_crashes(&*raft, &Schedule::default());
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(asked("answer,send:vote-reply,persist:append"), Ok(()));
        let error = asked("send:append,persist-asked:vote-reply").unwrap_err();
        let expected = "raft has no record `vote-reply` to crash after; there are: \
                        vote,truncate-from,append,snapshot";
        assert_eq!(error, expected);
        let scheduled = r#"{"faults": [{"at":"1s","for":"1s","fault":"crash-at",
            "crash":{"after":"send:lunch","ordinal":1},"targets":"all"}]}"#;
        let path = std::path::Path::new("s.json");
        let schedule = Schedule::parse(path, scheduled, 5).unwrap();
        let error = campaign.check_crashes(&*raft, &schedule).unwrap_err();
        assert!(error.to_string().contains("no message `lunch`"), "{error}");
    }

    #[test]
    fn what_only_some_systems_can_do_is_asked_for_by_name() {
        let usual = campaign("raft", 5).faults;
        assert_eq!(usual.0, FaultKind::USUAL);
        assert!(usual.0.iter().all(|kind| needs(*kind).is_none()));
    }

    #[test]
    fn what_a_system_cannot_do_is_refused_with_what_it_can() {
        let faults = [FaultKind::Kill, FaultKind::Membership, FaultKind::Compact];
        let campaign = campaign("raft", 5);
        let refused = |known, faults| {
            let refused = campaign.check_abilities(&Deaf { known }, faults);
            refused.err().map(|error| error.to_string())
        };
        assert_eq!(refused(Capability::OPERATOR, &faults[..]), None);
        assert_eq!(
            refused(&[Capability::Compaction], &faults).unwrap(),
            "deaf cannot be asked for a membership; try --faults kill,compact"
        );
        assert_eq!(
            refused(&[], &faults).unwrap(),
            "deaf cannot be asked for a membership; try --faults kill"
        );
        let compacting = Campaign {
            compact_after: Some(5),
            ..campaign.clone()
        };
        let error = compacting.check_abilities(&DEAF, FaultKind::USUAL);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("leave out --compact-after 5"), "{error}");
    }

    #[test]
    fn a_system_has_the_roles_that_its_nodes_tell() {
        assert_eq!(roles(Capability::OPERATOR), []);
        assert_eq!(roles(&[Capability::Leader]), [Role::Leader]);
        let transactions = [Role::Coordinator, Role::Prepared];
        assert_eq!(roles(&[Capability::Transactions]), transactions);
        let both = [Capability::Transactions, Capability::Leader];
        assert_eq!(roles(&both), Role::ALL);
    }

    #[test]
    fn a_role_that_no_node_has_is_refused_with_what_there_is() {
        let transactions = &[Role::Coordinator, Role::Prepared][..];
        let refused = |targets: &str, shapes: &str, known: &[Role]| {
            let campaign = Campaign {
                targets: Some(targets.parse().unwrap()),
                shapes: Some(shapes.parse().unwrap()),
                ..campaign("raft", 5)
            };
            let checked = campaign.check_roles(known);
            checked.err().map(|error| error.to_string())
        };
        let roles = "leader,kill:coordinator,prepared";
        let shapes = "isolate-leader,isolate-coordinator";
        assert_eq!(refused(roles, shapes, Role::ALL), None);
        assert_eq!(refused("one,all", "halves,bridge", &[]), None);
        assert_eq!(
            refused(roles, "halves", &[Role::Leader]).unwrap(),
            "--targets kill:coordinator is about a role that no node of raft has; \
             there are the targets one,minority,majority,leader,all"
        );
        assert_eq!(
            refused("membership:leader", "halves", transactions).unwrap(),
            "--targets membership:leader is about a role that no node of raft has; \
             there are the targets one"
        );
        assert_eq!(
            refused("one", shapes, transactions).unwrap(),
            "--shapes isolate-leader is about a role that no node of raft has; there are the shapes \
             isolate-one,isolate-coordinator,majority-minority,halves,bridge"
        );
    }

    #[test]
    fn a_scheduled_role_that_no_node_has_is_refused_with_what_there_is() {
        let path = Path::new("s.json");
        let refused = |fault: &str, known: &[Role]| {
            let text = format!(r#"{{"faults": [{{"at":"1.5s","for":"1s",{fault}}}]}}"#);
            let schedule = Schedule::parse(path, &text, 5).unwrap();
            let checked = campaign("raft", 5).check_roles_scheduled(path, &schedule, known);
            checked.err().map(|error| error.to_string())
        };
        let kill = r#""fault":"kill","targets":"prepared""#;
        assert_eq!(refused(kill, Role::ALL), None);
        assert_eq!(
            refused(kill, &[Role::Leader]).unwrap(),
            "s.json: the kill at 1.5s, on prepared, is about a role that no node of raft has; \
             there are the targets one,minority,majority,leader,all"
        );
        let cut = r#""fault":"partition","shape":"isolate-leader","targets":"leader""#;
        assert_eq!(refused(cut, &[Role::Leader]), None);
        assert_eq!(
            refused(cut, &[]).unwrap(),
            "s.json: the partition at 1.5s, on leader, is about a role that no node of raft has; \
             there are the shapes isolate-one,majority-minority,halves,bridge"
        );
    }

    #[test]
    fn spans_that_no_node_takes_are_refused() {
        let refused = |election: &str, heartbeat: &str| {
            let options = Options {
                system: Some("raft".to_owned()),
                election_timeout: Some(election.parse().unwrap()),
                heartbeat: Some(heartbeat.parse().unwrap()),
                ..Options::default()
            };
            Campaign::resolve(options)
                .err()
                .map(|error| error.to_string())
        };
        assert!(refused("1ms", "10s").unwrap().contains("--heartbeat 10s"));
        assert!(refused("50ms", "50ms").is_some());
        assert!(refused("50ms", "0s").is_some());
        assert!(refused("50ms", "1500us").unwrap().contains("milliseconds"));
        assert_eq!(refused("51ms", "50ms"), None);
    }

    #[test]
    fn too_few_nodes_for_a_fault_are_refused_with_the_faults_that_fit() {
        let alone = Campaign {
            nodes: 1,
            ..campaign("raft", 5)
        };
        let error = format!("{:#}", alone.faults_of_run().unwrap_err());
        assert!(
            error.ends_with("try more nodes, or --faults kill,pause"),
            "{error}"
        );
    }
}
