//! The example machines on the model.

mod toys;

use toys::{Commitment, Decree, Leased};
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem, check};

#[test]
fn probe() {
    fn one<S: ModelSystem>(bounds: Bounds, bug: Option<&str>) {
        for granularity in [Granularity::Atomic, Granularity::Staged] {
            let mut options = CheckOptions::new(bounds);
            options.granularity = granularity;
            options.bug = bug.map(str::to_owned);
            let report = check::check::<S>(&options, &mut |_| {}).unwrap();
            println!("{} {:?} {:?}: {:?} unique {} generated {} depth {} {:?} hit {:?}", S::NAME, granularity, bug, report.verdict,
                report.states_unique, report.states_generated, report.depth, report.time, report.limits_hit);
            for property in &report.properties {
                println!("   {} {:?} {:?} {:?} shortest {}", property.name, property.result, property.count, property.why, property.is_shortest);
                for step in &property.path {
                    println!("      {} {}", step.number, step.action);
                    for change in &step.changes { println!("           {change}"); }
                }
            }
        }
    }
    one::<Decree>(Decree::default_bounds(), None);
    one::<Decree>(Decree::default_bounds(), Some("hasty"));
    one::<Decree>(Decree::default_bounds().with(Limit::Elections, 1), None);
    one::<Commitment>(Commitment::default_bounds().with(Limit::Crashes, 1).with(Limit::Breaks, 1), None);
    one::<Commitment>(Commitment::default_bounds().with(Limit::Crashes, 1).with(Limit::Breaks, 1), Some("hasty"));
    one::<Leased>(Leased::default_bounds(), None);
    one::<Leased>(Leased::default_bounds(), Some("hasty"));
    let mut far = Leased::default_bounds();
    far.drift = Some(2);
    one::<Leased>(far, None);
}
