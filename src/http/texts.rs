//! What customers and peers read when all went well and the text is not the ledger's. Refusals are
//! in [`super::refusal`].

pub(super) const ALIVE: &str = "Banco no ar";
pub(super) const LOGGED_IN: &str = "Logado com sucesso";
pub(super) const LOGGED_OUT: &str = "Sessão encerrada";
pub(super) const ACCOUNT_READ: &str = "Conta acessada com sucesso";
pub(super) const JOINT_LISTED: &str = "Contas conjuntas que esperam os titulares";
pub(super) const KEYS_LISTED: &str = "Chaves Pix da conta";
pub(super) const LIMITS_READ: &str = "Limites de Pix e saque";
pub(super) const SCHEDULES_LISTED: &str = "Pix agendados";
pub(super) const DAY_FORM: &str = "A data deve ter a forma 2026-11-23";
pub(super) const PROFILE_READ: &str = "Apelidos e favoritos";
pub(super) const REFUNDABLE: &str = "Pix recebido";
pub(super) const SESSIONS_LISTED: &str = "Sessões neste banco";
pub(super) const KEY_FOUND: &str = "Chave Pix encontrada";
pub(super) const MESSAGE_TAKEN: &str = "Mensagem recebida";
/// For customers whose new password many people have.
pub(crate) const COMMON_PASSWORD: &str =
    "Muita gente tem esta senha, e quem tenta entrar começa por ela. Troque-a assim que puder";
/// For customers who come in the open to a bank that is reached by HTTPS.
pub(super) const NOT_ENCRYPTED: &str =
    "Este banco só atende por HTTPS: troque http:// por https:// no endereço";

/// Sessions have ended.
pub(super) fn sessions_ended(count: usize) -> String {
    if count == 1 { LOGGED_OUT.to_owned() } else { format!("{count} sessões encerradas") }
}

/// Of a statement whose older entries are in archive files.
pub(crate) fn older_is_archived(complete_from: &str) -> String {
    format!(
        "O extrato está completo a partir de {complete_from}. Os lançamentos anteriores estão no arquivo do banco: peça-os a ele"
    )
}
