//! tmp
use std::time::{Duration, Instant};
use tribunal_impls::adapter::*;
use tribunal_impls::client::StoreClient;
use tribunal_histories::Value;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a[1].parse().unwrap();
    let secs: u64 = a[2].parse().unwrap();
    let home: u8 = a[3].parse().unwrap();
    let nodes: std::collections::BTreeMap<u8, std::net::SocketAddr> = a[4..].iter().enumerate().map(|(i, s)| (i as u8 + 1, s.parse().unwrap())).collect();
    let end = Instant::now() + Duration::from_secs(secs);
    let mut tasks = Vec::new();
    for w in 0..n {
        let nodes = nodes.clone();
        tasks.push(tokio::spawn(async move {
            let h = if home == 0 { (w % nodes.len()) as u8 + 1 } else { home };
            let mut c = StoreClient::new(h, nodes, ClientOptions { timeout: Duration::from_secs(5), retry: false });
            let (mut ok, mut bad, mut lat) = (0u64, 0u64, Vec::new());
            let mut i = 0;
            while Instant::now() < end {
                i += 1;
                let f = if i % 3 == 0 { "read" } else { "write" };
                let inv = Invocation { f: f.into(), key: Value::Int((w % 16) as i64), value: if f == "read" { Value::Null } else { Value::Int(i) } };
                let t = Instant::now();
                match c.invoke(&inv).await { Completion::Ok(_) => ok += 1, _ => bad += 1 }
                lat.push(t.elapsed());
            }
            (ok, bad, lat)
        }));
    }
    let (mut ok, mut bad, mut lat) = (0, 0, Vec::new());
    for t in tasks { let r = t.await.unwrap(); ok += r.0; bad += r.1; lat.extend(r.2); }
    lat.sort();
    println!("ops/s {} bad {} p50 {:?} p99 {:?}", ok / secs, bad, lat[lat.len() / 2], lat[lat.len() * 99 / 100]);
}
