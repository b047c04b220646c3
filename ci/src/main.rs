//! The `tribunal` binary.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | what can be typed |
//! | [`list`] | `tribunal list`: what there is |
//! | [`check`] | `tribunal check`: every state of a bounded cluster |
//! | [`simulate`] | `tribunal simulate`: seeded runs of larger ones in virtual time |
//! | [`campaign`] | `tribunal run` and `replay`: real processes under faults |
//! | [`workload`] | what clients ask in a campaign |
//! | [`verify`] | `tribunal verify`: recorded histories |
//! | [`convert`] | `tribunal convert`: a history in another format |
//! | [`page`] | a refuted history as a page to look at |
//! | [`node`] | `tribunal node`: one node process |
//! | [`systems`] | the systems and their wrong versions, by name |
//! | [`input`] | histories in files, however they are written |
//! | [`exit`], [`output`], [`names`], [`units`] | exit codes, stdout, words, quantities |
//! | [`progress`], [`interrupt`] | what is said meanwhile, and how it is broken off |
//!
//! Never here: logic that another crate could own.

mod campaign;
mod check;
mod cli;
mod convert;
mod exit;
mod input;
mod interrupt;
mod list;
mod names;
mod node;
mod oracle;
mod output;
mod page;
mod progress;
mod simulate;
mod systems;
mod units;
mod verify;
mod workload;

use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic of our own says nothing about any system.
    match panic::catch_unwind(cli::main) {
        Ok(code) => code,
        Err(_) => {
            eprintln!("harness failure: the harness panicked; see the message above");
            ExitCode::from(exit::HARNESS)
        }
    }
}
