//! Routes, and what every request passes before and after them.

use std::sync::Arc;

use actix_web::App as HttpApp;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;

use crate::app::App;
use crate::connections::under_way;
use crate::problems::write_problems;
use crate::routes::configure;
use crate::telemetry::log_request;
use crate::visitor::judge;

/// The whole HTTP application, as each worker has it.
pub fn http_app(
    app: Arc<App>,
) -> HttpApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    HttpApp::new()
        .wrap(from_fn(judge))
        .wrap(from_fn(write_problems))
        .wrap(from_fn(log_request))
        .wrap(from_fn(under_way))
        .configure(configure(app))
}
