//! The page for somebody who has to log in, whether for the first time or because a session has
//! ended.

use askama::Template;

use crate::web::frame::Frame;

#[derive(Template)]
#[template(path = "bank/login.html")]
pub(super) struct LoginPage {
    pub(super) frame: Frame,
    pub(super) problem: Option<String>,
    pub(super) user_name: String,
    /// Where to go after the login.
    pub(super) target: String,
    /// A package that was being built when the session ended, as its form was sent.
    pub(super) basket: Option<String>,
}
