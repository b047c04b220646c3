//! The cluster under test, as nemesis and campaign see it: processes, links,
//! and what nodes say of themselves. Knows every system by its adapter alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tribunal_impls::adapter::{
    Administration as Asked, Capability, CrashPlace as Asking, NodePlan, NodeStatus, System,
    Transactions as Known,
};
use tribunal_nemesis::links::Links;
use tribunal_nemesis::process::{ProcessState, Supervisor};
use tribunal_nemesis::{
    Administration, Cluster, CrashPlace, Leader, Members, Network, Node, Pending, Processes,
    Standing, Transactions,
};

/// How long a node may take to say how it is; a paused one never does.
const STATUS_LIMIT: Duration = Duration::from_millis(500);

/// The same where the answer is about what lasts milliseconds.
const ROLE_LIMIT: Duration = Duration::from_millis(50);

/// A running cluster.
pub struct Stage {
    /// The system, seen through its adapter alone.
    pub system: Arc<dyn System>,
    /// Its nodes, in order.
    pub plans: Arc<[NodePlan]>,
    /// Its processes.
    pub supervisor: Supervisor,
    /// The links between its nodes.
    pub links: Links,
}

impl Stage {
    /// What every node says of itself now; none for one that says nothing. A
    /// node whose process does not run is not asked.
    pub async fn statuses(&self) -> Vec<Option<NodeStatus>> {
        self.statuses_within(STATUS_LIMIT).await
    }

    /// The same, of those that say it soon.
    async fn statuses_within(&self, limit: Duration) -> Vec<Option<NodeStatus>> {
        let mut asked = JoinSet::new();
        for (place, plan) in self.plans.iter().enumerate() {
            let state = self.processes().state(plan.node);
            if !matches!(state, ProcessState::Running { .. }) {
                continue;
            }
            let (system, plans) = (Arc::clone(&self.system), Arc::clone(&self.plans));
            asked.spawn(async move {
                let status = timeout(limit, system.status(&plans[place])).await;
                (place, status.ok().and_then(Result::ok))
            });
        }
        let mut statuses = vec![None; self.plans.len()];
        while let Some(answer) = asked.join_next().await {
            if let Ok((place, status)) = answer {
                statuses[place] = status;
            }
        }
        statuses
    }

    fn plan(&self, node: Node) -> Option<&NodePlan> {
        self.plans.iter().find(|plan| plan.node == node)
    }
}

impl Cluster for Stage {
    fn nodes(&self) -> Vec<Node> {
        self.plans.iter().map(|plan| plan.node).collect()
    }

    fn leader(&self) -> Pending<'_, Option<Leader>> {
        Box::pin(async {
            let statuses = self.statuses().await;
            let leaders = self
                .plans
                .iter()
                .zip(statuses)
                .filter_map(|(plan, status)| {
                    let status = status.filter(|status| status.leads)?;
                    Some(Leader {
                        node: plan.node,
                        epoch: status.epoch,
                    })
                });
            leaders.max_by_key(|leader| leader.epoch)
        })
    }

    fn transactions(&self) -> Pending<'_, BTreeMap<Node, Transactions>> {
        Box::pin(async {
            let statuses = self.statuses_within(ROLE_LIMIT).await;
            let nodes = self.plans.iter().zip(statuses);
            let known = nodes.filter_map(|(plan, status)| Some((plan.node, status?.transactions?)));
            known.map(|(node, known)| (node, counted(&known))).collect()
        })
    }

    fn ready(&self, node: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            let plan = self.plan(node).ok_or("no such node")?;
            match timeout(STATUS_LIMIT, self.system.status(plan)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {STATUS_LIMIT:?}")),
            }
        })
    }

    fn crash_code(&self) -> Option<i32> {
        self.system.crash_code()
    }

    fn crash_at(&self, node: Node, place: Option<&CrashPlace>) -> Pending<'_, Result<(), String>> {
        let place = place.cloned();
        Box::pin(async move {
            let plan = self.plan(node).ok_or("no such node")?;
            let asked = place.as_ref().map(|place| Asking {
                after: place.after.after.name(),
                of: place.after.of.as_deref(),
                ordinal: place.ordinal,
            });
            let told = self.system.crash_at(plan, asked).await;
            told.map_err(|error| error.to_string())
        })
    }

    fn administration(&self) -> Option<&dyn Administration> {
        let known = self.system.capabilities();
        let can = |asked: &Capability| known.contains(asked);
        Capability::OPERATOR.iter().any(can).then_some(self)
    }

    fn processes(&self) -> &dyn Processes {
        &self.supervisor
    }

    fn network(&self) -> &dyn Network {
        &self.links
    }
}

impl Stage {
    async fn ask(&self, node: Node, asked: Asked) -> Result<(), String> {
        let plan = self.plan(node).ok_or("no such node")?;
        let answer = self.system.administer(plan, asked).await;
        answer.map_err(|error| error.to_string())
    }
}

impl Administration for Stage {
    fn standings(&self) -> Pending<'_, BTreeMap<Node, Standing>> {
        Box::pin(async {
            let statuses = self.statuses().await;
            let nodes = self.plans.iter().zip(statuses);
            nodes
                .filter_map(|(plan, status)| Some((plan.node, standing(status?))))
                .collect()
        })
    }

    fn remove(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(self.ask(leader, Asked::Remove(node)))
    }

    fn add(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(self.ask(leader, Asked::Add(node)))
    }

    fn transfer(&self, leader: Node, to: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(self.ask(leader, Asked::Transfer(to)))
    }

    fn compact(&self, node: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(self.ask(node, Asked::Compact))
    }
}

fn counted(known: &Known) -> Transactions {
    Transactions {
        undecided: known.undecided,
        in_doubt: known.in_doubt.len() as u64,
    }
}

fn standing(status: NodeStatus) -> Standing {
    Standing {
        epoch: status.epoch,
        leads: status.leads,
        compacted: status.compacted,
        members: status.members.map(|members| Members {
            voters: members.voters,
            learners: members.learners,
            is_changing: members.is_changing,
        }),
    }
}
