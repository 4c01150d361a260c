//! HTTP.md's tables of routes are the router: method, path, session, request, answer and status of each, and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lockstep_server::ROUTES;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a route takes and gives: session, request, answer.
type Told = (String, String, String);

/// As HTTP.md has them, by method and path.
fn told() -> BTreeMap<(String, String), Told> {
    let text = read("../proto/HTTP.md");
    let rows = text
        .lines()
        .filter(|line| ["| `GET ", "| `POST ", "| `DELETE "].iter().any(|start| line.starts_with(start)));
    let mut told = BTreeMap::new();
    for row in rows {
        let cells: Vec<String> = row.split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect();
        let (method, path) = cells[1].split_once(' ').unwrap();
        let before = told.insert(
            (method.to_lowercase(), path.to_owned()),
            (cells[2].clone(), cells[3].clone(), cells[4].clone()),
        );
        assert!(before.is_none(), "{row} stands there twice");
    }
    told
}

/// The text between `start`, which is found first, and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: char) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}

/// What the handler of a route says in its signature.
fn of_handler(module: &str, name: &str) -> Told {
    let text = read(&format!("src/handlers/{module}.rs"));
    let function = text.split_once(&format!("pub(crate) async fn {name}(")).expect(name).1;
    let (signature, rest) = function.split_once(" {\n").unwrap();
    let body = rest.split_once("\n}\n").unwrap().0;
    let session =
        ["DeviceSession", "AnySession", "OptionalSession"].into_iter().find(|kind| signature.contains(kind));
    let session = match (session, name) {
        (None, _) => "none",
        (Some("AnySession"), "bar") => "device or recovery",
        (Some("AnySession"), _) => "any",
        (Some("DeviceSession"), _) => "device",
        (Some(_), _) => "none or device",
    };
    let sent = between(signature, ": Sent<", '>').map(|both| both.split_once(", ").unwrap().1);
    let request = sent.or(between(signature, ": Body<", '>')).or(between(signature, ": Parameters<", '>'));
    let answer = between(signature, "Answer<", '>').unwrap();
    let is_empty = ["heal", "pairing", "sides"].iter().any(|file| {
        read(&format!("../proto/src/api/{file}.rs")).contains(&format!("pub struct {answer} {{}}"))
    });
    let answer = if is_empty { "{}".to_owned() } else { answer.to_owned() };
    let answer = if body.contains("Reply::created") { format!("201 {answer}") } else { answer };
    (session.to_owned(), request.unwrap_or("–").to_owned(), answer)
}

/// As the router and the handlers have them.
fn real() -> BTreeMap<(String, String), Told> {
    let router = read("src/routes.rs");
    let lines = router.split_once("\nversion_1! {\n").unwrap().1.split_once("\n}").unwrap().0;
    let mut real = BTreeMap::new();
    for line in lines.lines() {
        let (path, handlers) = line.split_once("\": ").unwrap();
        let path = format!("/v1{}", path.split_once('"').unwrap().1);
        for handler in handlers.trim_end_matches(';').split(", ") {
            let (method, handler) = handler.split_once(' ').unwrap();
            let (module, name) = handler.split_once("::").unwrap();
            real.insert((method.to_owned(), path.clone()), of_handler(module, name));
        }
    }
    real
}

#[test]
fn the_tables_of_routes_are_the_router() {
    let (told, real) = (told(), real());
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(routes, real.keys().cloned().collect());
    for (route, told) in &told {
        assert_eq!(Some(told), real.get(route), "{route:?}");
    }
    let missing: Vec<_> = real.keys().filter(|route| !told.contains_key(*route)).collect();
    assert!(missing.is_empty(), "HTTP.md lacks {missing:?}");
}

#[test]
fn the_bounds_of_bodies_are_the_routers() {
    let budget = read("src/budget/mod.rs");
    assert!(budget.contains("const SMALL: usize = 64 << 10;"), "HTTP.md says 65,536 bytes");
    let router = read("src/routes.rs");
    for (size, bound) in
        [("small", "SMALL"), ("message", "2 * PAIRING_MESSAGE_LIMIT"), ("healing", "HEAL_ACCOUNT_LIMIT")]
    {
        let function = router.split_once(&format!("fn {size}(")).unwrap().1.split_once('}').unwrap().0;
        assert!(function.contains(&format!("BodyLimit({bound})")), "{size}");
    }
    let class = |path: &str| {
        let line = router.lines().find(|line| line.contains(&format!(" \"{path}\":"))).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    let told = told();
    for ((_, path), (session, ..)) in &told {
        let path = path.strip_prefix("/v1").unwrap();
        let expected = match path {
            "/account/registration" | "/account/bar" => "small",
            "/pairing" | "/pairing/send" => "message",
            "/heal/account" => "healing",
            _ if session == "none" => "small",
            _ => "large",
        };
        assert_eq!(class(path), expected, "{path}");
    }
}
