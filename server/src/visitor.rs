//! Who may speak to the server at all: not a page in a browser. Judged before anything of a request is looked at.
//!
//! Pages reach a server on loopback, at home or in an office through the browser of somebody who can. Three rules keep
//! them out, each by itself: the exact content type ([`crate::format`]; no page sends it without asking first, and
//! nobody ever says yes: there are no CORS headers), the name in `Host` ([`crate::hosts`]), and `Origin`, which a page
//! cannot leave out of anything but a `GET` of which it sees no answer: of a picture, a form, a link. A page could
//! spend an address's requests with such, so what the browser says of them itself (`Sec-Fetch-Mode`) counts, too. It
//! says so over https and to loopback, and pages cannot change it.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;
use lockstep_proto::api::ErrorCode;

use crate::app::App;
use crate::error::Failure;
use crate::hosts::Hosts;
use crate::limits::Limit;
use crate::routes::is_health;

/// The origins of extensions. Which extension it is says nothing: one that may talk to this address needs no leave of
/// the server's and can leave `Origin` out; one that may not is stopped by the browser. In Firefox the rest is random,
/// besides.
const EXTENSIONS: [&str; 3] = ["chrome-extension://", "moz-extension://", "safari-web-extension://"];

/// How a browser came to send a request (Fetch Metadata).
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Passes on what may be meant for this server.
pub(crate) async fn judge<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    // Supervisors and balancers ask under names that nobody lists, and are told nothing but that the server is well.
    if is_health(request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let app = request.app_data::<Data<App>>().cloned().ok_or_else(Failure::internal)?;
    let Some((limit, failure)) = fault(&request, &app.front.hosts) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    app.note_limit(limit, app.front.proxies.client_of(request.request()).into());
    Ok(request.error_response(failure).map_into_right_body())
}

/// What keeps a request out.
fn fault(request: &ServiceRequest, hosts: &Hosts) -> Option<(Limit, Failure)> {
    let headers = request.headers();
    // A target with a host in it counts for more than the header (RFC 9112, §3.2.2), so both have to be right.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let mut lines = headers.get_all(HOST).map(HeaderValue::to_str);
    let named = lines.next();
    let fits = |host: &str| hosts.admit(host);
    if lines.next().is_some() || named.is_some_and(|host| !host.is_ok_and(fits)) || !target.is_none_or(fits) {
        return Some((Limit::ForeignHost, foreign_host()));
    }
    let from_page = |origin: &HeaderValue| !origin.to_str().is_ok_and(is_extension);
    let from_page = headers.get_all(ORIGIN).any(from_page) || headers.get_all(FETCH_MODE).any(is_unasked);
    from_page.then(|| (Limit::ForeignOrigin, foreign_origin()))
}

/// Whether a browser fetches a picture, a script, a page or the like. No program and no extension asks so: theirs is
/// `cors`.
fn is_unasked(mode: &HeaderValue) -> bool {
    matches!(mode.as_bytes(), b"no-cors" | b"navigate" | b"websocket")
}

fn is_extension(origin: &str) -> bool {
    EXTENSIONS.iter().any(|scheme| origin.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

fn foreign_host() -> Failure {
    Failure::new(
        ErrorCode::ForeignHost,
        "The server is not known by the name under which it was asked, so nothing was done. Use the address that your server's operator gave you; its operator lists further names as hosts.",
    )
}

fn foreign_origin() -> Failure {
    Failure::new(
        ErrorCode::ForeignOrigin,
        "A page in a browser may not talk to this server, so nothing was done. Use Lockstep's own programs.",
    )
}
