//! The routes for programs of customers, and for those who watch a bank.

use serde_json::json;
use utoipa::openapi::path::PathItem;

use super::kinds::{account_number, bank, number, text, user_name};
use super::told::{JSON, Told, get, post};
use crate::web::api::kinds::named;

/// All of them.
pub(super) fn routes() -> Vec<(String, PathItem)> {
    let mut routes = Vec::new();
    for (tag, of) in [
        ("customers", customers()),
        ("accounts", accounts()),
        ("money", money()),
        ("watching", watching()),
    ] {
        routes.extend(of.into_iter().map(|told| told.done(tag)));
    }
    routes
}

fn customers() -> Vec<Told> {
    vec![
        post("/register-customer", "Register a customer, who is known at all banks then")
            .body("Registration")
            .ordered(),
        get("/login", "The same as with POST, as the requirement has it, with a body")
            .refuses(&[400, 408, 413])
            .read("LoggedIn"),
        post("/login", "Log in at this bank").body("Login").read("LoggedIn"),
        post("/logout", "End the session of the token").by_customer().answers("Said"),
        post("/password", "Change the password; ends all sessions of the customer at all banks")
            .body("NewPassword")
            .ordered(),
        get("/sessions", "The customer's sessions and last logins at this bank")
            .by_customer()
            .answers("Sessions"),
        post("/sessions/end", "End one of the customer's sessions, or all")
            .by_customer()
            .body("SessionEnd")
            .answers("Said"),
    ]
}

fn accounts() -> Vec<Told> {
    let of_user = |told: Told| told.part("user_name", user_name(), "The customer.");
    let of_account = |told: Told| {
        let number = "The account's number.";
        told.part("bank", bank(), "The account's bank.").part(
            "num_account",
            account_number(),
            number,
        )
    };
    vec![
        post("/create_account", "Open an account at this bank").body("Opening").ordered(),
        of_user(get("/accounts_user/{user_name}", "The customer's accounts at this bank"))
            .by_customer()
            .refuses(&[403])
            .read("Accounts"),
        of_user(post("/accounts_user/{user_name}", "Open an account at this bank"))
            .body("Opening")
            .ordered(),
        get(
            "/joint_requests",
            "Joint accounts that wait for their holders, the customer among them",
        )
        .by_customer()
        .read("JointRequests"),
        of_account(post(
            "/joint_requests/{bank}/{num_account}",
            "Accept or decline a joint account",
        ))
        .by_customer()
        .body("JointAnswer")
        .ordered(),
        get("/get_account/{num_account}", "An account at this bank, with its statement")
            .part("num_account", account_number(), "The account's number.")
            .query("limit", number().minimum(Some(1)).maximum(Some(1_000)), "How many entries.")
            .query("before", number().minimum(Some(0)), "Only entries before this one.")
            .query("txid", text(), "Only what paid this charge.")
            .by_customer()
            .refuses(&[403])
            .read("Account"),
        post("/close_account", "Close an account, or have it stay open after all")
            .by_customer()
            .body("Closing")
            .ordered(),
        get("/profile", "What the customer calls accounts and payees")
            .by_customer()
            .read("Profile"),
        post("/nickname", "Call an account something").by_customer().body("Nickname").ordered(),
        post("/favourites", "Call somebody whom the customer pays often something")
            .by_customer()
            .body("Favourite")
            .ordered(),
        post("/favourites/remove", "Take a favourite off the list")
            .by_customer()
            .body("Key")
            .ordered(),
        of_account(get("/keys/{bank}/{num_account}", "The Pix keys of an account, oldest first"))
            .by_customer()
            .refuses(&[403])
            .read("Keys"),
        post("/keys", "Give an account one more Pix key").by_customer().body("NewKey").ordered(),
        post("/keys/remove", "Give up a Pix key").by_customer().body("Key").ordered(),
        post("/keys/move", "Give a Pix key to another account of the customer at its bank")
            .by_customer()
            .body("KeyMove")
            .ordered(),
    ]
}

fn money() -> Vec<Told> {
    let key = text().min_length(Some(1)).examples([json!("0:123.123.123-00")]);
    vec![
        get("/pix/{key}", "Who would be paid by this key")
            .part("key", key, "As people type it; it may contain slashes.")
            .refuses(&[401])
            .read("Recipient"),
        post("/operations", "A package of operations, of which all happen or none")
            .by_customer()
            .header("Netbanking-Password", text(), "The password, where a sum needs it.")
            .body("Package")
            .ordered(),
        get("/refunds/{bank}/{num_account}/{entry}", "What can be given back of a Pix")
            .part("bank", bank(), "The account's bank.")
            .part("num_account", account_number(), "The account that received it.")
            .part("entry", number().minimum(Some(0)), "Its place in the statement.")
            .by_customer()
            .refuses(&[403, 410])
            .read("Refundable"),
        get("/arrivals", "What arrives in the customer's accounts, as long as the session lasts")
            .by_customer()
            .header("Last-Event-ID", text(), "The `id` of the last event that the reader got.")
            .answers_in(200, "text/event-stream", utoipa::openapi::schema::empty().into()),
        get("/limits", "What the customer lets leave by day and by night, and what has left")
            .by_customer()
            .read("Limits"),
        post("/limits", "Let more or less leave by day or by night")
            .by_customer()
            .body("LimitsChange")
            .ordered(),
        get("/schedules", "The customer's Pix of days to come").by_customer().read("Schedules"),
        post("/schedules", "Pay a Pix on a day to come, once or again and again")
            .header("Netbanking-Password", text(), "The password, where a sum needs it.")
            .by_customer()
            .body("Schedule")
            .ordered(),
        post("/schedules/{number}/cancel", "Give up a Pix of days to come")
            .part("number", number().minimum(Some(0)), "The schedule's number.")
            .by_customer()
            .ordered(),
        post("/refunds", "Give back what came by a Pix, or some of it")
            .by_customer()
            .refuses(&[410])
            .body("Refund")
            .ordered(),
    ]
}

fn watching() -> Vec<Told> {
    vec![
        get("/check", "Whether the process is alive").answers("Said"),
        get("/ready", "Whether the bank takes writes").answers("Ready").answers_in(
            503,
            JSON,
            named("Ready").into(),
        ),
        get("/status", "What the bank knows of the consortium").answers("Status"),
    ]
}
