//! scratch
use tribunal_models::bounds::*;
use tribunal_models::check::*;
use tribunal_models::raft::RaftSystem;
fn main() {
    // host nodes e t o r retries crashes dup prevote quorum batch [bug] [property]
    let a: Vec<String> = std::env::args().skip(1).collect();
    let n = |i: usize| a[i].parse::<u8>().unwrap();
    let bounds = Bounds::of(n(1))
        .with(Limit::Elections, n(2))
        .with(Limit::Timers, n(3))
        .with(Limit::Operations, n(4))
        .with(Limit::Reads, n(5))
        .with(Limit::Retries, n(6))
        .with(Limit::Crashes, n(7))
        .with(Limit::Duplicates, n(8))
        .with_setting(0, n(9))
        .with_setting(1, n(10))
        .with_setting(2, n(11));
    let mut o = CheckOptions::new(bounds);
    o.granularity = if a[0] == "atomic" {
        Granularity::Atomic
    } else {
        Granularity::Staged
    };
    o.bug = a.get(12).filter(|b| *b != "-").cloned();
    o.property = a.get(13).filter(|b| *b != "-").cloned();
    o.from = a.get(14).cloned();
    o.timeout = Some(std::time::Duration::from_secs(100));
    o.memory = Some(12 << 30);
    let r = check::<RaftSystem>(&o, &mut |_| {}).unwrap();
    println!(
        "{:?} gen {} uniq {} depth {} {:?} mem {}MB ({} B/state) {:.0}/s hit {:?}",
        r.verdict,
        r.states_generated,
        r.states_unique,
        r.depth,
        r.time,
        r.memory_peak.unwrap_or(0) >> 20,
        r.memory_peak.unwrap_or(0) / r.states_unique.max(1) as u64,
        r.states_unique as f64 / r.time.as_secs_f64(),
        r.limits_hit
    );
    for p in &r.properties {
        if format!("{:?}", p.result) != "Holds" {
            println!(
                "  {} {:?} {:?} {:?} len {} shortest {}",
                p.name,
                p.result,
                p.count,
                p.why,
                p.path.len(),
                p.is_shortest
            );
        }
        if std::env::var("SHOW").is_ok() {
            for s in &p.path {
                println!("{s:#?}");
            }
        }
    }
}
