//! Budgets: how large files, functions and ports may be, and how much of the code is tests.

use crate::tree::{Source, expect_none, sources, top};

fn percentile(values: &mut [usize], percent: usize) -> usize {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

#[test]
fn files_hold_one_idea() {
    let sources = sources();
    let long: Vec<String> = sources
        .iter()
        .filter(|source| source.text.lines().count() > 500)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    expect_none("no file over 500 lines", &long);
    let mut lines: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    let (median, p90) = (percentile(&mut lines, 50), percentile(&mut lines, 90));
    assert!(median <= 150, "the median file has {median} lines, the budget is 150");
    assert!(p90 <= 350, "the 90th percentile of files has {p90} lines, the budget is 350");
}

/// The lengths of all functions outside tests, from `fn` to the closing brace of the same indentation.
fn function_lengths(source: &Source) -> Vec<(usize, usize)> {
    let lines = source.production_lines();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn ", "pub(crate) fn "];
        if !words.iter().any(|word| code.starts_with(word)) {
            continue;
        }
        let indentation = line.len() - code.len();
        let closes =
            |line: &&str| line.starts_with(&" ".repeat(indentation)) && line[indentation..].starts_with('}');
        let ends_at_once = code.ends_with(';') || code.ends_with("}");
        let length = if ends_at_once { 1 } else { lines[start..].iter().position(closes).unwrap_or(0) + 1 };
        lengths.push((start + 1, length));
    }
    lengths
}

#[test]
fn functions_are_short() {
    let mut lengths = Vec::new();
    for source in sources() {
        lengths.extend(function_lengths(&source).into_iter().map(|(_, length)| length));
    }
    let p90 = percentile(&mut lengths, 90);
    assert!(p90 <= 40, "the 90th percentile of functions has {p90} lines, the budget is 40");
}

#[test]
fn ports_have_at_most_twenty_methods() {
    let mut offences = Vec::new();
    for source in sources() {
        let mut current: Option<(String, usize)> = None;
        for line in source.text.lines() {
            if let Some(rest) = line.strip_prefix("pub trait ") {
                let name = rest.split([':', ' ', '<', '{']).next().unwrap_or_default();
                current = Some((name.to_owned(), 0));
            } else if line == "}" {
                if let Some((name, count)) = current.take().filter(|(_, count)| *count > 20) {
                    offences.push(format!("{}: {name} has {count} methods", source.path));
                }
            } else if let Some((_, count)) = &mut current {
                let code = line.trim_start();
                *count += usize::from(code.starts_with("fn ") || code.starts_with("async fn "));
            }
        }
    }
    expect_none("ports have at most 20 methods", &offences);
}

fn code_lines<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// A crate or a folder of one, the least that its own tests are for each line of its code, and the goal where that is
/// higher. The least is what there is, rounded down to 0.05: it only rises.
const TEST_CODE: &[(&str, f64, Option<f64>)] = &[
    ("proto", 1.5, None),
    ("server", 1.75, None),
    ("server/domain", 0.8, None),
    ("server/store", 0.4, None),
    ("client/crypto", 1.2, None),
    ("client/core", 0.5, Some(0.8)),
    ("client/core/src/account", 0.45, None),
    ("client/core/src/item", 1.1, None),
    ("client/core/src/sync", 0.35, None),
    ("client/core/src/vault", 0.3, None),
    ("client/formats", 0.85, None),
    ("client/native", 0.5, None),
    ("client/cli", 0.35, None),
];

/// Test lines for each line of code below a folder: those that stand there. Crates inside another one's folder are not
/// of it, and what the crate `tests` tests of everybody counts for nobody.
fn test_ratio(sources: &[Source], folder: &str, crates: &[String]) -> f64 {
    let is_below =
        |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let inner: Vec<&String> = crates.iter().filter(|inner| is_below(inner, folder)).collect();
    let own = |source: &&Source| {
        is_below(&source.path, folder) && !inner.iter().any(|inner| is_below(&source.path, inner))
    };
    let (mut code, mut tests) = (0, 0);
    for source in sources.iter().filter(own) {
        let production = code_lines(source.production_lines().into_iter());
        code += production;
        tests += code_lines(source.text.lines()) - production;
    }
    tests as f64 / code as f64
}

#[test]
fn every_crate_tests_its_own_code() {
    let (sources, crates) = (sources(), crates());
    let (mut table, mut offences) = (Vec::new(), Vec::new());
    for (folder, least, goal) in TEST_CODE {
        let ratio = test_ratio(&sources, folder, &crates);
        let goal = goal.map(|goal| format!(", the goal is {goal}")).unwrap_or_default();
        table.push(format!("{ratio:.2} {folder}: at least {least}{goal}"));
        if ratio < *least {
            offences.push(format!("{folder} has {ratio:.3} x its code, less than {least}"));
        } else if ratio >= least + 0.15 {
            offences.push(format!("{folder} has {ratio:.3} x its code: raise its {least}, so that it stays"));
        }
    }
    let untold = crates.iter().filter(|of| !TEST_CODE.iter().any(|(folder, ..)| folder == *of));
    offences.extend(untold.map(|of| format!("{of} has no row")));
    assert!(offences.is_empty(), "test code:\n  {}\nof\n  {}", offences.join("\n  "), table.join("\n  "));
}

/// The folders of the workspace's crates but that of the tests of all.
fn crates() -> Vec<String> {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let quoted = members.split(']').next().unwrap().split('"').skip(1).step_by(2);
    quoted.filter(|member| *member != "tests").map(str::to_owned).collect()
}
