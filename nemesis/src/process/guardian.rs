//! Kills what a killed harness leaves behind.
//!
//! The kernel kills a node when the harness dies, but not what the node has
//! started in turn: a shell wrapper's database, say. The guardian is a shell
//! that is told every node's process group and reads on; its input ends when
//! the harness does, in whatever way, and it then kills the groups that are
//! left. It is in a group of its own, so that no signal meant for the harness
//! ends it first.
//!
//! A node announces itself (`?`) before it runs its program, so that there is
//! no moment at which it could start something unguarded; the harness then
//! confirms it (`+`), or takes it back (`!`) if the program could not be run.
//!
//! A shell and not a fork of this process: after a fork, a program with
//! threads may not even allocate.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

const SCRIPT: &str = r#"
groups=' ' announced=
while read -r sign group; do
    case $sign in
        '?') announced=$group ;;
        !) announced= ;;
        +) groups="$groups$group " announced= ;;
        -) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
    esac
done
for group in $groups $announced; do kill -s KILL -- "-$group"; done
"#;

/// The shell, and the pipe whose end it waits for.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guardian {
    pub fn new() -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Guardian { shell, pipe })
    }

    /// For a process about to run a node's program, to announce itself with.
    pub fn announcer(&self) -> Option<Announcer> {
        let pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Announcer(pipe.as_ref()?.as_fd().try_clone_to_owned().ok()?))
    }

    /// The group that announced itself must not outlive the harness.
    pub fn guard(&self, group: u32) {
        self.tell('+', group);
    }

    /// What announced itself did not get to run its program.
    pub fn forget(&self) {
        self.tell('!', 0);
    }

    /// The group is gone; its number may soon be another's.
    pub fn release(&self, group: u32) {
        self.tell('-', group);
    }

    fn tell(&self, sign: char, group: u32) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let told = pipe.as_mut().map(|pipe| writeln!(pipe, "{sign} {group}"));
        if let Some(Err(error)) = told {
            tracing::warn!(group, %error, "the guardian is gone; what nodes start may outlive a killed harness");
        }
    }
}

/// The guardian's pipe, for one process that is yet to run its program.
pub(super) struct Announcer(OwnedFd);

impl Announcer {
    /// Announces the calling process's group. Safe between fork and exec: no
    /// allocation, one system call.
    pub fn announce(&self, group: u32) {
        let mut line = *b"?           \n";
        let mut rest = group;
        for digit in line[2..12].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        // Unguarded is no reason not to run: the node itself dies with the
        // harness in any case.
        let _ = nix::unistd::write(&self.0, &line);
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let pipe = self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner);
        pipe.take();
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap()
    }

    #[test]
    fn what_has_announced_itself_dies_unless_it_is_taken_back() {
        for taken_back in [false, true] {
            let mut sleeper = sleeper();
            let guardian = Guardian::new().unwrap();
            guardian.announcer().unwrap().announce(sleeper.id());
            if taken_back {
                guardian.forget();
            }
            drop(guardian);
            if taken_back {
                assert!(sleeper.try_wait().unwrap().is_none());
                sleeper.kill().unwrap();
            }
            assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
        }
    }

    #[test]
    fn what_is_guarded_dies_when_the_pipe_closes_and_what_was_released_lives() {
        let mut sleepers: Vec<Child> = (0..4).map(|_| sleeper()).collect();
        let guardian = Guardian::new().unwrap();
        for sleeper in &sleepers {
            guardian.guard(sleeper.id());
        }
        guardian.release(sleepers[1].id());
        guardian.release(sleepers[1].id());
        drop(guardian);
        for at in [0, 2, 3] {
            assert_eq!(sleepers[at].wait().unwrap().signal(), Some(9), "{at}");
        }
        assert!(sleepers[1].try_wait().unwrap().is_none());
        sleepers[1].kill().unwrap();
        sleepers[1].wait().unwrap();
    }
}
