//! A pseudo-terminal with a shell on it, as a person has.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::Machine;
use super::programs::program;

/// Longer than anything takes, for a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// A shell on a terminal of its own, in the machine's folder.
pub(super) struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
    shell: Child,
}

impl Terminal {
    /// A shell that waits for a command.
    pub(super) fn open(machine: &Machine, editor: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let side = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh"]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("PS1", "shell> ").env("EDITOR", editor);
        command.env("LOCKSTEP_HOME", machine.profile("laptop").parent().unwrap());
        command.env("LOCKSTEP", program("lockstep")).current_dir(machine.path(""));
        let shell = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let keyboard = File::from(master);
        let mut reading = keyboard.try_clone().unwrap();
        let (show, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = reading.read(&mut buffer) {
                if show.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self { keyboard, screen, shown: String::new(), shell };
        terminal.until("shell> ");
        terminal
    }

    /// Waits until this is shown, and forgets what was shown so far.
    pub(super) fn until(&mut self, text: &str) -> String {
        self.until_either(text, text)
    }

    /// Waits until one of them is shown, and forgets what was shown so far.
    pub(super) fn until_either(&mut self, text: &str, other: &str) -> String {
        loop {
            let ends = [text, other].map(|text| self.shown.find(text).map(|at| at + text.len()));
            if let Some(end) = ends.into_iter().flatten().min() {
                let rest = self.shown.split_off(end);
                return std::mem::replace(&mut self.shown, rest);
            }
            let bytes = self.screen.recv_timeout(PATIENCE);
            let bytes =
                bytes.unwrap_or_else(|_| panic!("{text:?}, {other:?} is not shown, but {:?}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Types, or pastes as terminals do that do not mark it.
    pub(super) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.replace('\n', "\r").as_bytes()).unwrap();
    }

    /// Pastes as terminals do that were asked to mark it.
    pub(super) fn paste(&mut self, text: &str) {
        self.type_in(&format!("\u{1b}[200~{text}\u{1b}[201~"));
    }

    /// Starts `lockstep ARGUMENTS…`.
    pub(super) fn start(&mut self, arguments: &str) {
        self.type_in(&format!("\"$LOCKSTEP\" {arguments}\n"));
    }

    /// Waits for a question, answers it, and gives what was shown before and with it.
    pub(super) fn answer(&mut self, question: &str, answer: &str) -> String {
        let shown = self.until(question);
        self.type_in(&format!("{answer}\n"));
        shown
    }

    /// Starts a command of the laptop, offline, and waits for its question.
    pub(super) fn ask(&mut self, arguments: &str, question: &str) {
        self.start(&format!("--profile laptop --offline {arguments}"));
        self.until(question);
    }

    /// Waits for the command's end; what it said, and its exit code.
    pub(super) fn ended(&mut self) -> (String, i32) {
        let said = self.until("shell> ");
        self.type_in("echo \"code:\" $?.\n");
        self.until("code: ");
        let code = self.until(".");
        self.until("shell> ");
        (said, code.trim_end_matches('.').parse().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A shell that has ended already is no fault.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
