//! Judges a history that was built in memory: `cargo run -p tribunal-checker
//! --example in_memory`.

use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn, TimedCall};
use tribunal_checker::{Limits, Order, check_calls};

fn main() {
    use RegisterCall::{Read, Write};
    use RegisterReturn::{Done, Value};
    let call = |call, invoked, completed| TimedCall {
        call,
        invoked,
        completed,
    };
    // Times are places in one order of all invocations and completions.
    let calls = [
        call(Write(1), 0, Some((9, Done))),
        call(Read, 1, Some((2, Value(1)))),
        call(Write(2), 3, None), // nobody knows what became of it
        call(Read, 4, Some((5, Value(0)))),
    ];
    match check_calls(&Register { initial: 0 }, &calls, &Limits::default()) {
        Order::Found(order) => println!("linearizable, in the order {order:?}"),
        Order::None(Some(call)) => println!("not linearizable: no place for {:?}", calls[call]),
        Order::None(None) => println!("not linearizable"),
        Order::Unknown(limit) => println!("not known: {limit}"),
    }
}
