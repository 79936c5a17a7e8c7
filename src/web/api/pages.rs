//! The pages: what programs may find out about them. What their forms send stands on the pages.

use utoipa::openapi::path::PathItem;

use super::kinds::{number, text};
use super::told::{HTML, JSON, Told, get, post};

/// What every form that changes something carries.
const KEY: &str = "chave";

/// All of them.
pub(super) fn routes() -> Vec<(String, PathItem)> {
    let mut routes = Vec::new();
    for of in [entry(), accounts(), paying(), watching()] {
        routes.extend(of.into_iter().map(|told| told.done("pages")));
    }
    routes
}

fn entry() -> Vec<Told> {
    let document = get("/cadastro/documento", "Whether a document's check digits fit")
        .query("tipo", text(), "PF or PJ.")
        .query("documento", text(), "The document.")
        .page()
        .answers_empty(303);
    let registration =
        ["nome", "tipo", "documento", "confirmado", "usuario", "senha", "senha2", KEY];
    vec![
        get("/", "Welcome, or the accounts at all banks and their total").page(),
        get("/entrar", "Log in").query("destino", text(), "Where to go then.").page(),
        post("/entrar", "Log in").page().form(&["usuario", "senha", "destino", "pacote"]),
        post("/sair", "Log out").page().form(&[]),
        get("/seguranca", "Sessions and last logins at this bank").page_of_customer(),
        post("/seguranca", "Change the password")
            .page_of_customer()
            .form(&["senha", "nova", "nova2", KEY]),
        get("/limites", "What may leave by day and by night").page_of_customer(),
        post("/limites", "Let more or less leave").page_of_customer().form(&[
            "dia",
            "noite",
            "confirmar",
            "senha",
            KEY,
        ]),
        post("/seguranca/sessoes", "End sessions").page_of_customer().form(&["sessao"]),
        get("/cadastro", "Register").page(),
        post("/cadastro", "Register").page().form(&registration),
        document,
    ]
}

fn of_account(told: Told) -> Told {
    let place = text().pattern(Some("^[0-9]{1,2}-[0-9]{1,18}$"));
    told.part("account", place, "The account's bank and number.")
}

fn filtered(told: Told) -> Told {
    of_account(told)
        .query("mes", text(), "Only this month, as 2026-11.")
        .query("de", text(), "From this day on.")
        .query("ate", text(), "Until this day.")
        .query("tipo", text(), "Only this way.")
        .query("busca", text(), "Only what has this text.")
}

fn accounts() -> Vec<Told> {
    let of_entry =
        |told: Told| of_account(told).part("entry", number().minimum(Some(0)), "Its place.");
    let opening = ["banco", "tipo", "pix", "titulares", "valor", "senha", KEY];
    vec![
        get("/contas/nova", "Open an account at any bank").page_of_customer(),
        post("/contas/nova", "Open an account at any bank").page_of_customer().form(&opening),
        post("/contas/conjunta", "Accept or decline a joint account")
            .page_of_customer()
            .form(&["conta", "resposta", KEY]),
        filtered(get("/contas/{account}", "An account's statement"))
            .query("antes", number(), "Older entries than this one.")
            .page_of_customer(),
        of_account(get("/contas/{account}/chaves", "An account's Pix keys")).page_of_customer(),
        of_account(post("/contas/{account}/chaves", "Change an account's Pix keys"))
            .page_of_customer()
            .form(&["acao", "tipo", "valor", "pix", "para", KEY]),
        of_account(get("/contas/{account}/ajustes", "What the account is called, and its end"))
            .query("feito", text(), "What was done.")
            .page_of_customer(),
        of_account(post("/contas/{account}/ajustes", "Call the account something, or close it"))
            .page_of_customer()
            .form(&["acao", "apelido", "senha", KEY]),
        filtered(get("/contas/{account}/extrato.csv", "The statement as CSV"))
            .refuses(&[410])
            .page_of_customer()
            .answers_in(200, "text/csv", text().into()),
        filtered(get("/contas/{account}/extrato.ofx", "The statement as OFX"))
            .refuses(&[410])
            .page_of_customer()
            .answers_in(200, "application/x-ofx", text().into()),
        filtered(get("/contas/{account}/extrato.pdf", "The statement as PDF"))
            .page_of_customer()
            .answers_in(200, "application/pdf", text().into()),
        of_entry(get("/contas/{account}/comprovante/{entry}", "The receipt of an entry"))
            .refuses(&[410])
            .page_of_customer(),
        of_entry(get("/contas/{account}/comprovante/{entry}/pdf", "The receipt as PDF"))
            .refuses(&[410])
            .page_of_customer()
            .answers_in(200, "application/pdf", text().into()),
        of_entry(get("/contas/{account}/comprovante/{entry}/devolver", "Give a Pix back"))
            .refuses(&[410])
            .page_of_customer(),
        of_entry(post("/contas/{account}/comprovante/{entry}/devolver", "Give a Pix back"))
            .refuses(&[410])
            .page_of_customer()
            .form(&["valor", "mensagem", "senha", KEY]),
    ]
}

fn paying() -> Vec<Told> {
    let step = |path, says| get(path, says).page_of_customer().refuses(&[401]);
    let payment = ["acao", "conta", "pix", "valor", "mensagem", "codigo", "senha", KEY];
    let planned = [
        "acao", "conta", "pix", "valor", "mensagem", "dia", "repetir", "vezes", "numero", "senha",
        KEY,
    ];
    let package =
        ["acao", "op", "tipo", "conta", "pix", "valor", "codigo", "conferido", "senha", KEY];
    vec![
        step("/pagar", "Pay: whom"),
        post("/pagar", "Pay").page_of_customer().form(&payment),
        step("/pagar/valor", "Pay: how much"),
        step("/pagar/confirmar", "Pay: look at it once more"),
        step("/pacote", "Build a package").query("conta", text(), "The account."),
        post("/pacote", "Build a package, send it").page_of_customer().form(&package),
        step("/pacote/destinatario", "Who is behind a key").query("pix", text(), "The key."),
        step("/pacote/{chave}", "A package that was executed").part(KEY, text(), "Its key."),
        get("/chegadas", "What arrives, as long as the session lasts")
            .page_of_customer()
            .answers_in(200, "text/event-stream", utoipa::openapi::schema::empty().into()),
        get("/favoritos", "Those whom the customer pays often")
            .query("feito", text(), "What was done.")
            .page_of_customer(),
        post("/favoritos", "Keep a payee, or take one off the list")
            .page_of_customer()
            .form(&["acao", "pix", "nome", KEY]),
        get("/agendados", "Pix of days to come")
            .query("feito", text(), "What was done.")
            .page_of_customer(),
        post("/agendados", "Plan a Pix, or give one up").page_of_customer().form(&planned),
        step("/cobranca", "Ask for money")
            .query("conta", text(), "The account.")
            .query("valor", text(), "How much.")
            .query("descricao", text(), "What for.")
            .query("identificador", text(), "The charge's own name.")
            .query("validade", text(), "Until when."),
    ]
}

fn watching() -> Vec<Told> {
    // Only where there is a laboratory.
    let switch = |path, says, fields: &[&str]| {
        post(path, says).form(fields).answers_in(200, JSON, utoipa::openapi::schema::empty().into())
    };
    let any = || text().into();
    vec![
        get("/consorcio", "The consortium, live").answers_in(200, HTML, any()),
        get("/consorcio/eventos", "Its stream").answers_in(
            200,
            "text/event-stream",
            utoipa::openapi::schema::empty().into(),
        ),
        get("/consorcio/estado", "One message of the stream as of a moment")
            .query("ate", number().minimum(Some(0)), "Microseconds since the bank started.")
            .answers_in(200, JSON, utoipa::openapi::schema::empty().into()),
        get("/consorcio/shiviz.log", "The history for ShiViz").answers_in(200, "text/plain", any()),
        switch("/consorcio/laboratorio/atraso", "Hold back all messages", &["atraso_ms"]),
        switch("/consorcio/laboratorio/ligacao", "Stop or cut a link", &["banco", "estado"]),
        switch("/consorcio/laboratorio/evento", "Send a trial event", &["onde", "quando"]),
        switch("/consorcio/laboratorio/clientes", "Fill a bank", &["primeiro", "quantos"]),
        get("/assets/{name}", "Style sheets, scripts and pictures")
            .part("name", text().examples(["style.css"]), "The file.")
            .query("v", text(), "Its version.")
            .answers_in(200, "*/*", any())
            .answers_empty(304),
        get("/openapi.json", "This description").answers_in(
            200,
            JSON,
            utoipa::openapi::schema::empty().into(),
        ),
        get("/api", "This description, for people").answers_in(200, HTML, any()),
    ]
}
