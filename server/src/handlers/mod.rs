//! Request handlers, one file per resource: extracted input, one service call, one reply.

pub(crate) mod account;
pub(crate) mod heal;
pub(crate) mod info;
pub(crate) mod pairing;
pub(crate) mod recovery;
pub(crate) mod session;
pub(crate) mod signin;
pub(crate) mod signup;
pub(crate) mod vaults;

use actix_web::web::Data;

use crate::app::App;
use crate::error::Failure;
use crate::format::Reply;

type Shared = Data<App>;
type Answer<T> = Result<Reply<T>, Failure>;
