//! What `netbanking client --help` says.

pub(in super::super) const CLIENT: &str =
    "O banco no terminal: menu para pessoas, comandos para scripts";
pub(in super::super) const CLIENT_LONG: &str =
    "O banco no terminal. Sem comando, abre um menu; com um comando, faz uma coisa só e termina.

Informe mais de um banco: se o primeiro não responder, o pedido é repetido no seguinte com a mesma chave de
idempotência, e assim é feito no máximo uma vez.";
pub(in super::super) const USAGE: &str = "netbanking client [OPÇÕES] [COMANDO]";
pub(in super::super) const AFTER: &str = "Códigos de saída:
  0    feito
  1    recusado pelo banco; nada foi feito
  2    a linha de comando, um arquivo ou uma resposta precisa de correção; nada foi pedido
  3    nenhum banco respondeu, ou o resultado é desconhecido (a mensagem diz qual dos dois)
  4    feito, mas a resposta não pôde ser escrita na saída padrão
  130  interrompido com Ctrl-C

A senha nunca vem na linha de comando: é perguntada, ou lida de --password-file ou de NETBANKING_PASSWORD.
A sessão (só tokens, nunca a senha) fica em um arquivo que só o dono pode ler, com a permissão 0600.
Com --json, a saída padrão é um único objeto JSON (em watch, um por linha), também quando algo dá errado. NO_COLOR desliga as cores.";
pub(in super::super) const TEMPLATE: &str =
    "{about-with-newline}\nUso: {usage}\n\n{all-args}{after-help}";
pub(in super::super) const OPTIONS: &str = "Opções";
pub(in super::super) const ARGUMENTS: &str = "Argumentos";
pub(in super::super) const COMMANDS: &str = "Comandos";

pub(in super::super) const HELP: &str = "Mostra esta ajuda";
pub(in super::super) const BANK: &str =
    "Endereço de um banco, como http://127.0.0.1:3050; uma vez para cada banco";
pub(in super::super) const NODES: &str =
    "Lista de bancos usada quando não há --bank [padrão: nodes.json]";
pub(in super::super) const USER: &str = "Nome de usuário";
pub(in super::super) const PASSWORD_FILE: &str = "Arquivo cuja primeira linha é a senha";
pub(in super::super) const SESSION: &str =
    "Arquivo da sessão [padrão: netbanking/session.json em XDG_STATE_HOME ou ~/.local/state]";
pub(in super::super) const ANSWER_WAIT: &str =
    "Quanto esperar pela resposta de cada banco, em segundos [padrão: 5]";
pub(in super::super) const OUTCOME_WAIT: &str =
    "Quanto insistir até saber o resultado de um pedido, em segundos [padrão: 30]";
pub(in super::super) const JSON: &str = "Um único objeto JSON na saída padrão";
pub(in super::super) const KEY: &str =
    "Chave de idempotência; a mesma chave nunca é executada duas vezes [padrão: uma nova]";

pub(in super::super) const BANKS_USAGE: &str = "netbanking client banks [OPÇÕES]";
pub(in super::super) const BANKS: &str = "Lista os bancos e o estado de cada um";
pub(in super::super) const REGISTER_USAGE: &str = "netbanking client register --user NOME --name NOME --person PF|PJ --document CPF|CNPJ [OPÇÕES]";
pub(in super::super) const REGISTER: &str = "Cadastra um cliente";
pub(in super::super) const LOGIN_USAGE: &str = "netbanking client login [OPÇÕES]";
pub(in super::super) const LOGIN: &str = "Entra em todos os bancos que respondem e guarda a sessão";
pub(in super::super) const LOGOUT_USAGE: &str = "netbanking client logout [OPÇÕES]";
pub(in super::super) const LOGOUT: &str = "Encerra a sessão em todos os bancos";
pub(in super::super) const PASSWORD_USAGE: &str =
    "netbanking client password [--new-password-file ARQUIVO] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const PASSWORD: &str =
    "Troca a senha e encerra todas as sessões, em todos os bancos";
pub(in super::super) const NEW_PASSWORD_FILE: &str =
    "Arquivo cuja primeira linha é a senha nova [padrão: perguntar]";
pub(in super::super) const SESSIONS_USAGE: &str =
    "netbanking client sessions [--at BANCO] [--end SESSÃO | --end-all] [OPÇÕES]";
pub(in super::super) const SESSIONS: &str =
    "Mostra as sessões e as últimas entradas em um banco, ou encerra sessões";
pub(in super::super) const SESSION_NAME: &str = "SESSÃO";
pub(in super::super) const END_SESSION: &str = "Encerra esta sessão, pelo nome que a lista mostra";
pub(in super::super) const END_ALL_SESSIONS: &str = "Encerra todas as sessões nesse banco";
pub(in super::super) const ACCOUNTS_USAGE: &str = "netbanking client accounts [OPÇÕES]";
pub(in super::super) const ACCOUNTS: &str = "Mostra as contas em todos os bancos e o total";
pub(in super::super) const OPEN_USAGE: &str = "netbanking client open --at BANCO --type TIPO --pix TIPO --value VALOR [--holder NOME]… [OPÇÕES]";
pub(in super::super) const OPEN: &str = "Abre uma conta em um banco";
pub(in super::super) const JOINT_USAGE: &str = "netbanking client joint [OPÇÕES]";
pub(in super::super) const JOINT: &str = "Mostra as contas conjuntas que esperam os titulares";
pub(in super::super) const ACCEPT_USAGE: &str =
    "netbanking client accept CONTA --at BANCO [--key CHAVE] [OPÇÕES]";
pub(in super::super) const ACCEPT: &str = "Aceita ser titular de uma conta conjunta";
pub(in super::super) const DECLINE_USAGE: &str =
    "netbanking client decline CONTA --at BANCO [--key CHAVE] [OPÇÕES]";
pub(in super::super) const DECLINE: &str =
    "Recusa uma conta conjunta, ou desiste de uma que você pediu";
pub(in super::super) const PIX_USAGE: &str = "netbanking client pix CHAVE [OPÇÕES]";
pub(in super::super) const PIX: &str = "Mostra quem recebe por uma chave Pix";
pub(in super::super) const PAY_USAGE: &str = "netbanking client pay CHAVE --value VALOR --from CONTA --at BANCO [--message TEXTO] [--txid TXID] [--confirm] [OPÇÕES]";
pub(in super::super) const PAY: &str = "Paga um Pix";
pub(in super::super) const REFUND_USAGE: &str = "netbanking client refund CONTA --at BANCO --entry N --value VALOR [--message TEXTO] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const REFUND: &str = "Devolve um Pix recebido, inteiro ou em parte";
pub(in super::super) const KEYS_USAGE: &str = "netbanking client keys CONTA --at BANCO [--add TIPO [--value TEXTO] | --remove CHAVE | --move CHAVE] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const KEYS: &str = "Mostra as chaves Pix de uma conta, ou muda uma";
pub(in super::super) const ADD_KEY: &str =
    "Cadastra uma chave: CPF, CNPJ, USER_NAME, NUM_CONTA, RANDOM, EMAIL ou TELEFONE";
pub(in super::super) const KEY_VALUE: &str = "O e-mail ou o telefone";
pub(in super::super) const REMOVE_KEY: &str = "Remove esta chave, como a lista a mostra";
pub(in super::super) const MOVE_KEY: &str =
    "Passa para esta conta uma chave de outra conta sua no mesmo banco";
pub(in super::super) const CLOSE_USAGE: &str =
    "netbanking client close CONTA --at BANCO [--keep-open] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const CLOSE: &str =
    "Encerra uma conta sem saldo; uma conjunta, quando todos os titulares pedirem";
pub(in super::super) const KEEP_OPEN: &str = "Desfaz os pedidos e mantém a conta aberta";
pub(in super::super) const NICKNAME_USAGE: &str =
    "netbanking client nickname CONTA --at BANCO [--name APELIDO] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const NICKNAME: &str = "Dá um apelido a uma conta, que só você vê";
pub(in super::super) const NICKNAME_NAME: &str = "O apelido; sem ele, nenhum";
pub(in super::super) const FAVOURITES_USAGE: &str = "netbanking client favourites [--add CHAVE --name APELIDO | --remove CHAVE] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const FAVOURITES: &str = "Mostra quem você paga sempre, ou muda a lista";
pub(in super::super) const ADD_FAVOURITE: &str = "Guarda quem recebe por esta chave";
pub(in super::super) const FAVOURITE_NAME: &str = "Como você chama quem recebe";
pub(in super::super) const REMOVE_FAVOURITE: &str = "Tira esta chave, como a lista a mostra";
pub(in super::super) const SCHEDULE_USAGE: &str = "netbanking client schedule CHAVE --value VALOR --from CONTA --at BANCO --day DATA [--every QUANDO --times N] [--message TEXTO] [--confirm] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const SCHEDULE: &str = "Agenda um Pix, uma vez ou várias";
pub(in super::super) const DAY: &str = "O primeiro dia, como 23/11/2026";
pub(in super::super) const EVERY: &str = "De quanto em quanto: dia, semana ou mes [padrão: mes]";
pub(in super::super) const TIMES: &str = "Quantas vezes [padrão: 1]";
pub(in super::super) const SCHEDULES_USAGE: &str =
    "netbanking client schedules [--cancel N] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const SCHEDULES: &str = "Mostra os Pix agendados, ou cancela um";
pub(in super::super) const CANCEL_SCHEDULE: &str = "Cancela este, pelo número que a lista mostra";
pub(in super::super) const LIMITS_USAGE: &str = "netbanking client limits [--day VALOR] [--night VALOR] [--confirm-above VALOR] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const LIMITS: &str =
    "Mostra quanto pode sair por Pix e saques, de dia e de noite, ou muda os limites";
pub(in super::super) const LIMIT_BY_DAY: &str =
    "Quanto pode sair das 6h às 20h, ou «sem»; o que aumenta só vale depois de 24 horas";
pub(in super::super) const LIMIT_BY_NIGHT: &str = "O mesmo das 20h às 6h";
pub(in super::super) const CONFIRM_ABOVE: &str =
    "Acima de quanto, por dia ou por noite, a senha é pedida de novo, ou «sem»; pede a senha";
pub(in super::super) const CONFIRM: &str =
    "Confirma com a senha, para o que passa do valor de limits --confirm-above";
pub(in super::super) const OPERATE_USAGE: &str =
    "netbanking client operate ARQUIVO [--confirm] [--key CHAVE] [OPÇÕES]";
pub(in super::super) const OPERATE: &str =
    "Envia um pacote de depósitos, saques e Pix: tudo ou nada";
pub(in super::super) const STATEMENT_USAGE: &str =
    "netbanking client statement CONTA --at BANCO [OPÇÕES]";
pub(in super::super) const STATEMENT: &str = "Mostra o extrato de uma conta";

pub(in super::super) const WATCH_USAGE: &str = "netbanking client watch [--count N] [OPÇÕES]";
pub(in super::super) const WATCH: &str =
    "Mostra cada Pix quando chega, até Ctrl-C; com --json, um objeto por linha";
pub(in super::super) const COUNT: &str = "Termina depois de N [padrão: nunca]";

pub(in super::super) const NAME: &str = "Nome completo";
pub(in super::super) const DOCUMENT: &str = "CPF ou CNPJ, com ou sem pontuação";
pub(in super::super) const PERSON: &str = "Pessoa física (PF) ou jurídica (PJ)";
pub(in super::super) const AT: &str = "Número do banco";
pub(in super::super) const TYPE_ACCOUNT: &str = "Tipo da conta: PF, PJ ou CONJUNTA";
pub(in super::super) const PIX_TYPE: &str =
    "De que é feita a chave Pix: CPF, CNPJ, USER_NAME, NUM_CONTA ou RANDOM";
pub(in super::super) const HOLDER: &str = "Outro titular da conta conjunta; uma vez para cada um";
pub(in super::super) const VALUE: &str = "Valor inicial, como 1.234,56";
pub(in super::super) const PIX_KEY: &str = "Chave, com ou sem banco: na frente";
pub(in super::super) const PAYEE: &str =
    "Chave ou número da conta de quem recebe, com ou sem banco: na frente";
pub(in super::super) const PAID: &str = "Quanto, como 1.234,56";
pub(in super::super) const FROM: &str = "Conta que paga";
pub(in super::super) const ENTRY: &str =
    "Qual lançamento do extrato, pelo campo entry de statement --json";
pub(in super::super) const REFUND_MESSAGE: &str = "Mensagem a quem tinha pago";
pub(in super::super) const MESSAGE: &str = "Mensagem a quem recebe";
pub(in super::super) const PAID_TXID: &str = "Cobrança que é paga";
pub(in super::super) const TXID: &str = "Só o que pagou esta cobrança";
pub(in super::super) const PACKAGE: &str = "Arquivo com o pacote em JSON; - é a entrada padrão";
pub(in super::super) const ACCOUNT: &str = "Número da conta";
pub(in super::super) const LIMIT: &str = "Quantas operações, das mais novas [padrão: 100]";
pub(in super::super) const BEFORE: &str =
    "Só as anteriores a este índice (next_before da resposta)";
