use super::dialect;
use super::key_search::*;
use super::search::*;
use super::timeline::*;
use tribunal_histories::Nil;
use tribunal_histories::generate::*;
#[test]
fn scratch() {
    for n in [1000usize, 3000, 10000, 30000] {
        for busy in [3u32, 5, 10] {
            let mut state = 0x2545_f491_4f6c_dd1d_u64;
            let script: Vec<u32> = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u32
            })
            .take(3 * n)
            .collect();
            let shape = Shape {
                processes: busy,
                keys: 1,
                values: 5,
                info_one_in: 100,
                ..Shape::small(Object::CasRegister)
            };
            let h = violating(&shape, &script, 2 * (n as u32 ) + 1);
            let ops = h.operations().unwrap();
            let keys = dialect::keys(&h, &ops, crate::Spec::CasRegister, Nil::Initial).unwrap();
            for supply in [Supply::Exact, Supply::Unlimited] {
                let (calls, _) = keys[0].calls(u32::MAX);
                let mut s = key_search(keys[0].specification(), calls, supply, None);
                let t = std::time::Instant::now();
                let mut moves = 0u64;
                while s.run(10_000) == Progress::Paused && t.elapsed().as_secs() < 4 {
                    moves += 10_000;
                }
                println!(
                    "{n} ops {busy} clients {supply:?}: {:?} moves {moves} {:?} bytes {}",
                    s.progress(),
                    t.elapsed(),
                    s.bytes()
                );
            }
        }
    }
}
