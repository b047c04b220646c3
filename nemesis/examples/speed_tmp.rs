//! tmp
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tribunal_nemesis::links::{Link, Links};
use tribunal_nemesis::{Cut, Network, Processes};
use tribunal_nemesis::process::*;
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut a = BTreeMap::new();
    for n in 1..=5u8 {
        let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
        a.insert(n, l.local_addr().unwrap());
        tokio::spawn(async move { loop { let (mut s, _) = l.accept().await.unwrap(); s.set_nodelay(true).unwrap();
            tokio::spawn(async move { let (mut r, mut w) = s.split(); let _ = tokio::io::copy(&mut r, &mut w).await; }); } });
    }
    let t = Instant::now();
    let links = Links::open(&a).await.unwrap();
    println!("open 20 links {:?}", t.elapsed());
    for (name, addr) in [("direct", a[&2]), ("proxy", links.address(1, 2).unwrap())] {
        let mut s = TcpStream::connect(addr).await.unwrap(); s.set_nodelay(true).unwrap();
        let mut b = [0u8; 64]; let mut v = vec![];
        for _ in 0..20000 { let t = Instant::now(); s.write_all(&b).await.unwrap(); s.read_exact(&mut b).await.unwrap(); v.push(t.elapsed()); }
        v.sort(); println!("{name} pingpong p50 {:?} p99 {:?}", v[10000], v[19800]);
        let (mut r, mut w) = s.into_split();
        let n = 512usize << 20; let t = Instant::now();
        let wr = tokio::spawn(async move { let b = vec![1u8; 65536]; for _ in 0..n / 65536 { w.write_all(&b).await.unwrap(); } w });
        let mut b = vec![0u8; 65536]; let mut got = 0; while got < n { got += r.read(&mut b).await.unwrap(); }
        println!("{name} echo {:.0} MB/s each way", n as f64 / 1e6 / t.elapsed().as_secs_f64()); drop(wr.await);
    }
    let link = Link { from: 1, to: 2 };
    let mut s = TcpStream::connect(links.address(1, 2).unwrap()).await.unwrap();
    let mut v = vec![];
    for _ in 0..200 { links.cut(link, Cut::Hold).unwrap(); s.write_all(b"x").await.unwrap(); tokio::time::sleep(Duration::from_millis(2)).await;
        let t = Instant::now(); links.heal(link, Cut::Hold).unwrap(); let mut b = [0]; s.read_exact(&mut b).await.unwrap(); v.push(t.elapsed()); }
    v.sort(); println!("heal to echoed byte p50 {:?} max {:?}", v[100], v[199]);
    let d = std::env::temp_dir().join("speed_tmp"); std::fs::create_dir_all(&d).unwrap();
    let (sup, _e) = Supervisor::new().unwrap();
    let c = NodeCommand { program: "sleep".into(), arguments: vec!["100".into()], environment: BTreeMap::new(), directory: d.clone(), log: d.join("log") };
    let (mut st, mut ki, mut pa, mut re) = (vec![], vec![], vec![], vec![]);
    for _ in 0..100 { let t = Instant::now(); sup.start(1, c.clone()).await.unwrap(); st.push(t.elapsed());
        let t = Instant::now(); sup.pause(1).await.unwrap(); pa.push(t.elapsed());
        let t = Instant::now(); sup.resume(1).await.unwrap(); re.push(t.elapsed());
        let t = Instant::now(); sup.kill(1).await.unwrap(); ki.push(t.elapsed()); }
    for v in [&mut st, &mut pa, &mut re, &mut ki] { v.sort(); }
    println!("p50 start {:?} pause {:?} resume {:?} kill {:?}", st[50], pa[50], re[50], ki[50]);
    drop(sup); std::fs::remove_dir_all(&d).unwrap();
}
