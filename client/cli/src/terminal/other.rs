//! Questions on a terminal of other systems.

use std::io::{self, BufRead as _, Write as _};

use zeroize::Zeroizing;

use super::{broken_off, unreadable};
use crate::failure::Failure;
use crate::output::clean;

pub(super) fn ask_hidden(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    checked(rpassword::prompt_password(clean(&format!("{question}: "))).map(Zeroizing::new), limit)
}

pub(super) fn ask_lines(question: &str, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let mut prompt = clean(&format!("{question}, not shown; it ends with a line that holds a single dot: "));
    loop {
        let line = checked(rpassword::prompt_password(&prompt).map(Zeroizing::new), limit)?;
        if *line == "." {
            return Ok(text);
        }
        if !prompt.is_empty() {
            prompt.clear();
        } else {
            text.push('\n');
        }
        text.push_str(&line);
        if text.len() > limit {
            return Err(too_long(limit));
        }
    }
}

pub(super) fn ask_shown(question: &str) -> Result<Zeroizing<String>, Failure> {
    let mut err = io::stderr().lock();
    write!(err, "{}", clean(question)).and_then(|()| err.flush()).map_err(unreadable)?;
    let mut answer = Zeroizing::new(String::new());
    match io::stdin().lock().read_line(&mut answer).map_err(unreadable)? {
        0 => Err(broken_off(question)),
        _ => Ok(answer),
    }
}

fn checked(answer: io::Result<Zeroizing<String>>, limit: usize) -> Result<Zeroizing<String>, Failure> {
    let answer = answer.map_err(unreadable)?;
    if answer.len() > limit { Err(too_long(limit)) } else { Ok(answer) }
}

fn too_long(limit: usize) -> Failure {
    Failure::usage(format!(
        "the answer is longer than {limit} bytes, the most that is taken here; none of it was used"
    ))
}
