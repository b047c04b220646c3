//! What whoever runs a cluster asks of it: through the adapter, as a campaign
//! does.

use tribunal_impls::adapter::{Administration, Members, NodeStatus, System};

use crate::cluster::{Cluster, surely, until, write};

/// The leader, with its status.
async fn leading(cluster: &Cluster) -> (u8, NodeStatus) {
    let leader = cluster.leader().await;
    until("the leader tells its status", async || {
        Some((leader, cluster.status(leader).await?))
    })
    .await
}

fn has(members: &Members, node: u8) -> bool {
    !members.is_changing && members.voters.contains(&node)
}

/// Asks whoever leads, until the leader's members are as they should be.
async fn members_until(
    cluster: &Cluster,
    operation: Administration,
    done: impl Fn(&Members) -> bool,
) {
    until("the members are as asked", async || {
        let (leader, status) = leading(cluster).await;
        if done(&status.members?) {
            return Some(());
        }
        // Refused while a change before it is not committed: asked again.
        let _ = cluster
            .system
            .administer(cluster.plan(leader), operation)
            .await;
        None
    })
    .await;
}

#[tokio::test]
async fn a_member_is_removed_and_comes_back_by_way_of_a_snapshot_in_chunks() {
    let mut cluster = Cluster::new("raft", 3);
    cluster.arguments = vec!["--compact-after", "20"];
    cluster.start_all();
    let leader = cluster.leader().await;
    let gone = leader % 3 + 1;
    members_until(&cluster, Administration::Remove(gone), |members| {
        !members.voters.contains(&gone)
    })
    .await;
    let mut client = cluster.client(leader, true);
    // More keys than one chunk of a snapshot holds.
    for value in 1..=600 {
        surely(&mut *client, &write(value, value)).await;
    }
    let (_, status) = leading(&cluster).await;
    let behind = cluster.status(gone).await.expect("it runs");
    assert!(
        behind.applied < status.compacted,
        "{behind:?} needs what {status:?} dropped"
    );
    members_until(&cluster, Administration::Add(gone), |members| {
        has(members, gone)
    })
    .await;
    let digests = cluster.digests().await;
    assert_eq!(digests, [digests[0]; 3]);
}

#[tokio::test]
async fn leadership_moves_to_the_node_that_is_named() {
    let mut cluster = Cluster::new("raft", 3);
    cluster.start_all();
    let (leader, before) = leading(&cluster).await;
    let next = leader % 3 + 1;
    until("the named node leads", async || {
        let (leader, status) = leading(&cluster).await;
        if leader == next {
            return (status.epoch > before.epoch).then_some(());
        }
        let plan = cluster.plan(leader);
        let _ = cluster
            .system
            .administer(plan, Administration::Transfer(next))
            .await;
        None
    })
    .await;
}

#[tokio::test]
async fn a_node_compacts_when_it_is_asked_and_keeps_its_object_over_a_restart() {
    let mut cluster = Cluster::new("raft", 1);
    cluster.start_all();
    cluster.leader().await;
    let mut client = cluster.client(1, true);
    for value in 1..=10 {
        surely(&mut *client, &write(1, value)).await;
    }
    let before = cluster.status(1).await.expect("it runs");
    assert_eq!(before.compacted, 0);
    let asked = cluster
        .system
        .administer(cluster.plan(1), Administration::Compact);
    asked.await.expect("it compacts");
    let after = cluster.status(1).await.expect("it runs");
    assert_eq!(after.compacted, after.applied);
    cluster.kill(1);
    cluster.start(1);
    cluster.leader().await;
    let again = cluster.status(1).await.expect("it runs");
    assert_eq!(again.compacted, after.compacted);
    assert_eq!(again.digest, after.digest);
}

#[tokio::test]
async fn an_example_has_no_log_to_compact() {
    let mut cluster = Cluster::new("lock", 1);
    cluster.arguments = vec!["--compact-after", "20"];
    let output = cluster.start_in_vain(1);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("lock has no log"), "{said}");
}
