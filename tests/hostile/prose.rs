//! What a server says in words of its own is shown as its words (A55), whatever it says, and changes nothing.

use lockstep_client::api::ServerWords;
use lockstep_client::ports::Response;
use lockstep_proto::api::{ErrorCode, PROBLEM_CBOR, Problem};
use lockstep_tests::{assert_in_step, encode, hostile_texts, is_plain, two_devices};

use super::shown;

/// An answer that refuses in these words, as its detail or, without one, as its title.
fn problem(code: ErrorCode, text: &str, number: usize) -> Response {
    let mut problem = Problem::new(code, text);
    problem.kind = text.to_owned();
    problem.title = text.to_owned();
    if number.is_multiple_of(2) {
        problem.detail = " \n".to_owned();
    }
    let (content_type, body) = (PROBLEM_CBOR.to_owned(), encode(&problem));
    Response { status: code.status(), content_type, body, retry_after: None }
}

#[tokio::test]
async fn a55_a_servers_words_are_quoted_on_one_line_and_never_in_a_message_of_ours() {
    let (_server, mut first, mut second) = two_devices().await;
    first.add("Bank").await.unwrap();
    assert_in_step(&mut first, &mut second).await;
    second.add("waits").await.unwrap();
    let before = shown(&second).await;
    for (number, text) in hostile_texts().into_iter().enumerate() {
        for code in [ErrorCode::QuotaExceeded, ErrorCode::LinkRefused, ErrorCode::Forbidden] {
            let given = text.clone();
            second.net.server().answer(move |_, _| problem(code, &given, number));
            let error = second.sync().await.unwrap_err();
            let message = error.to_string();
            assert!(is_plain(&message) && message.len() < 400, "{message}");
            for of_theirs in ["evil.example", "your bank", "Done", "xxx", "ééé"] {
                assert!(!message.contains(of_theirs), "{message}");
            }
            let words = ServerWords::of(&error).map(ToString::to_string).unwrap_or_default();
            let silent = text.chars().all(char::is_control);
            assert_eq!(words.is_empty(), silent, "{number}: {words}");
            assert!(words.chars().count() <= 250 && !words.contains('\n') && is_plain(&words), "{words}");
            assert!(silent || words.starts_with("The server says: \"") && words.matches('"').count() == 2);
        }
    }
    assert_eq!(shown(&second).await, before);
    second.net.server().be_honest();
    assert_in_step(&mut first, &mut second).await;
}
