//! Every node is asked whom it suspects, again and again. Workers take turns at
//! the nodes, so that each is asked as often as any other.

use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};
use tribunal_impls::client::SUSPECTS;

use super::{Shape, Workload};

/// The generator of the workload `suspects`.
pub struct Suspects {
    nodes: u8,
}

impl Suspects {
    /// A generator that draws nothing.
    pub fn new(shape: &Shape) -> Self {
        Suspects { nodes: shape.nodes }
    }
}

/// A question to a node, by its place from 0.
fn question(place: usize, nodes: u8) -> Invocation {
    let node = 1 + place % usize::from(nodes.max(1));
    Invocation {
        f: SUSPECTS.to_owned(),
        key: Value::Text(format!("n{node}")),
        value: Value::Null,
    }
}

impl Workload for Suspects {
    fn next(&mut self, worker: usize) -> Invocation {
        question(worker, self.nodes)
    }

    fn observe(&mut self, _: &Invocation, _: &Completion) {}

    fn final_reads(&self) -> Vec<Invocation> {
        let places = 0..usize::from(self.nodes);
        places.map(|place| question(place, self.nodes)).collect()
    }

    fn is_at_rest(&self, completion: &Completion) -> bool {
        *completion == Completion::Ok(Value::List(Vec::new()))
    }

    fn probe(&self) -> Invocation {
        question(0, self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_asked_as_often_as_any_other() {
        let mut suspects = Suspects { nodes: 3 };
        let keys: Vec<Value> = (0..6).map(|worker| suspects.next(worker).key).collect();
        let names = ["n1", "n2", "n3", "n1", "n2", "n3"].map(|name| Value::Text(name.to_owned()));
        assert_eq!(keys, names);
        assert_eq!(suspects.final_reads().len(), 3);
    }

    #[test]
    fn a_node_is_at_rest_when_it_suspects_nobody() {
        let suspects = Suspects { nodes: 3 };
        let told = |names: Vec<Value>| Completion::Ok(Value::List(names));
        assert!(suspects.is_at_rest(&told(Vec::new())));
        assert!(!suspects.is_at_rest(&told(vec![Value::Text("n2".to_owned())])));
    }
}
