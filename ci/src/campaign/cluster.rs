//! The cluster under test, as nemesis and campaign see it: processes, links,
//! and what nodes say of themselves. Knows every system by its adapter alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tribunal_impls::adapter::{NodePlan, NodeStatus, System};
use tribunal_nemesis::links::Links;
use tribunal_nemesis::process::Supervisor;
use tribunal_nemesis::{Cluster, CrashPlace, Leader, Network, Node, Pending, Processes};

/// How long a node may take to say how it is; a paused one never does.
const STATUS_LIMIT: Duration = Duration::from_millis(500);

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
    /// What every node says of itself now; none for one that says nothing.
    pub async fn statuses(&self) -> Vec<Option<NodeStatus>> {
        let mut asked = JoinSet::new();
        for place in 0..self.plans.len() {
            let (system, plans) = (Arc::clone(&self.system), Arc::clone(&self.plans));
            asked.spawn(async move {
                let status = timeout(STATUS_LIMIT, system.status(&plans[place])).await;
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

    fn crash_at(&self, node: Node, place: Option<CrashPlace>) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            let plan = self.plan(node).ok_or("no such node")?;
            let place = place.map(|place| (place.after.name(), place.ordinal));
            let told = self.system.crash_at(plan, place).await;
            told.map_err(|error| error.to_string())
        })
    }

    fn processes(&self) -> &dyn Processes {
        &self.supervisor
    }

    fn network(&self) -> &dyn Network {
        &self.links
    }
}
