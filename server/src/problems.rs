//! Every failure leaves as a problem document, also those that the framework made.

use actix_web::ResponseError as _;
use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use lockstep_proto::api::ErrorCode;

use crate::app::App;
use crate::error::Failure;
use crate::limits::Limit;
use crate::routes;

/// Writes every failure as a problem document, also those that the framework made, and notes limits. The operator's
/// routes answer a line of text.
pub(crate) async fn write_problems<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, actix_web::Error> {
    let response = next.call(request).await?;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(response.map_into_right_body());
    }
    let failure = response.response().error().and_then(|error| error.as_error::<Failure>()).cloned();
    let failure = failure.unwrap_or_else(|| of_status(status));
    let (request, _) = response.into_parts();
    if let Some(app) = request.app_data::<Data<App>>() {
        let address = || app.front.proxies.client_of(&request).into();
        if let Some(refused) = failure.too_many() {
            app.note_too_many(refused, address());
        }
        if let Some(limit) = Limit::of_storage(failure.code()) {
            app.note_limit(limit, address());
        }
    }
    let response = match routes::is_health(request.path()) {
        true => failure.line(),
        false => failure.error_response(),
    };
    Ok(ServiceResponse::new(request, response).map_into_left_body())
}

fn of_status(status: StatusCode) -> Failure {
    match status {
        StatusCode::NOT_FOUND => {
            Failure::new(ErrorCode::NotFound, "There is nothing at this address. Check the server's URL.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Failure::new(ErrorCode::MethodNotAllowed, "This address does not take this method.")
        }
        status if status.is_client_error() => Failure::unreadable("it is not a valid request"),
        _ => Failure::internal(),
    }
}
