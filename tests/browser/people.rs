//! What customers do over and over: register, log in, open an account, fill a package.

use crate::browser::Browser;
use crate::cluster::Cluster;

pub(crate) const PASSWORD: &str = "12345678";

impl Browser {
    pub(crate) async fn register(
        &self,
        cluster: &Cluster,
        bank: usize,
        name: &str,
        user: &str,
        document: &str,
    ) {
        self.open(&cluster.url(bank, "/cadastro")).await;
        self.tick("tipo", if document.contains('/') { "PJ" } else { "PF" }).await;
        self.fill("nome", name).await;
        self.fill("documento", document).await;
        self.fill("usuario", user).await;
        self.fill("senha", PASSWORD).await;
        self.fill("senha2", PASSWORD).await;
        self.press("Cadastrar").await;
        self.sees(&format!("Olá, {name}")).await;
    }

    pub(crate) async fn type_login(&self, user: &str) {
        self.fill("usuario", user).await;
        self.fill("senha", PASSWORD).await;
        // The menu has a link of the same name.
        self.find("main form button").await.click().await.unwrap();
    }

    /// Opens an account at any bank, with the user name as key; the page shown is one of the bank
    /// at which the customer is logged in.
    pub(crate) async fn open_account(&self, at: usize, value: &str) {
        self.press("Abrir conta").await;
        self.find("main [name='banco']").await;
        self.choose("banco", &at.to_string()).await;
        self.choose("pix", "USER_NAME").await;
        self.fill("valor", value).await;
        self.fill("senha", PASSWORD).await;
        self.find("main form button").await.click().await.unwrap();
        self.sees(&format!("aberta no Banco {at}")).await;
    }

    /// Pays a Pix from the page that is shown.
    pub(crate) async fn pay(&self, key: &str, value: &str) {
        self.press("Pix").await;
        self.fill("pix", key).await;
        self.press("Continuar").await;
        self.sees("Passo 2 de 3").await;
        self.fill("valor", value).await;
        self.press("Continuar").await;
        self.sees("Passo 3 de 3").await;
        self.fill("senha", PASSWORD).await;
        self.press("Pagar").await;
        self.sees("Pix feito").await;
    }

    /// Puts a deposit (`D`) or a withdrawal (`S`) into the package that is being built.
    pub(crate) async fn add_cash(&self, kind: &str, bank: usize, value: &str, becomes: usize) {
        self.tick("tipo", kind).await;
        self.choose("conta", &format!("{bank}-")).await;
        self.fill("valor", value).await;
        self.press("Acrescentar").await;
        self.sees(&operations(becomes)).await;
    }

    /// Puts a Pix into the package, after the payee's name has been shown.
    pub(crate) async fn add_pix(
        &self,
        bank: usize,
        value: &str,
        key: &str,
        name: &str,
        becomes: usize,
    ) {
        self.tick("tipo", "T").await;
        self.choose("conta", &format!("{bank}-")).await;
        self.fill("valor", value).await;
        self.fill("pix", key).await;
        self.sees(&format!("Quem recebe: {name}")).await;
        self.press("Acrescentar").await;
        self.sees(&operations(becomes)).await;
    }
}

/// The label of the button that sends this many operations.
fn operations(count: usize) -> String {
    format!("Confirmar {count} {}", if count == 1 { "operação" } else { "operações" })
}
