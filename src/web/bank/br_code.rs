//! Pix *copia e cola*: the BR Code of a charge, written and read.
//!
//! A BR Code is EMV's merchant-presented QR text: fields `id length value`, the account inside
//! field 26, a CRC at the end ('Manual de Padrões para Iniciação do Pix', Banco Central do Brasil).
//! Only static codes are supported: a dynamic one names an address to be asked, and a bank's pages
//! ask no other host. Reading trusts nothing: every length must be right, no field may occur twice,
//! and the CRC must match. What copying does to a text ([`pasted`]) is undone first.

use self::pasted::{as_pasted, invisible};
use crate::ledger::{Amount, PixKey};

mod pasted;
mod plain;

pub(super) use self::plain::plain;

/// What marks the account field as one for Pix; letter case does not matter.
const PIX: &str = "br.gov.bcb.pix";
/// The most characters of a field's value, because its length has two digits.
const VALUE_CHARS_MAX: usize = 99;
/// The most characters of the payee's name.
pub(super) const NAME_CHARS_MAX: usize = 25;
/// The most characters of the payee's city.
pub(super) const CITY_CHARS_MAX: usize = 15;
/// The most characters of the charge's own name.
pub(super) const TXID_CHARS_MAX: usize = 25;
/// The most characters of an amount.
const AMOUNT_CHARS_MAX: usize = 13;
/// Written where a charge has no name of its own.
const NO_TXID: &str = "***";
/// Longest text that is looked at, in bytes; the longest BR Code has 512.
const TEXT_BYTES_MAX: usize = 2_048;

/// A charge: who is to be paid, how much, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    /// The key that is paid to.
    pub(super) key: PixKey,
    /// How much; left to the payer where absent.
    pub(super) value: Option<Amount>,
    /// What for.
    pub(super) description: Option<String>,
    /// The payee's name, in plain letters.
    pub(super) name: String,
    /// Where they are.
    pub(super) city: String,
    /// The charge's own name: letters and digits.
    pub(super) txid: Option<String>,
}

/// Why a text is not a charge that can be paid here, or why a charge cannot be written as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadBrCode {
    /// Not even the beginning is that of a BR Code.
    #[error("Isto não é um código Pix copia e cola")]
    NotOne,
    /// A length that is not right.
    #[error("Código incompleto ou alterado: um comprimento não confere")]
    Length,
    /// The CRC does not match.
    #[error("Código incompleto ou alterado: o dígito verificador (CRC) não confere")]
    Crc,
    /// A field occurs twice.
    #[error("Código inválido: um campo aparece duas vezes")]
    Twice,
    /// A field is missing or not valid.
    #[error("Código inválido: {0}")]
    Field(&'static str),
    /// The charge must be asked for at an address.
    #[error(
        "Cobrança dinâmica: o código aponta para um endereço na internet, e este banco só lê cobranças estáticas"
    )]
    Dynamic,
    /// The key is not one of this consortium.
    #[error("A chave Pix do código não é deste consórcio (aqui uma chave tem a forma banco:valor)")]
    ForeignKey,
    /// The charge does not fit into a code.
    #[error("Não cabe no código Pix: {0}")]
    TooLong(&'static str),
}

/// CRC-16 with polynomial 0x1021 and initial value 0xFFFF, neither reflected nor inverted.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

fn field(id: &str, value: &str) -> String {
    debug_assert!(value.len() <= VALUE_CHARS_MAX && value.is_ascii());
    format!("{id}{:02}{value}", value.len())
}

impl Charge {
    /// The charge as a text to copy.
    pub(super) fn write(&self) -> Result<String, BadBrCode> {
        let mut account = field("00", PIX) + &field("01", self.key.as_str());
        if let Some(description) = &self.description {
            account += &field("02", description.get(..VALUE_CHARS_MAX).unwrap_or(description));
        }
        if account.len() > VALUE_CHARS_MAX {
            return Err(BadBrCode::TooLong(if self.description.is_some() {
                "encurte a descrição"
            } else {
                "a chave Pix é longa demais"
            }));
        }
        let mut text =
            field("00", "01") + &field("26", &account) + &field("52", "0000") + &field("53", "986");
        if let Some(value) = self.value {
            let value = value.to_string();
            if value.len() > AMOUNT_CHARS_MAX {
                return Err(BadBrCode::TooLong("o valor é grande demais"));
            }
            text += &field("54", &value);
        }
        text += &(field("58", "BR") + &field("59", &self.name) + &field("60", &self.city));
        text += &(field("62", &field("05", self.txid.as_deref().unwrap_or(NO_TXID))) + "6304");
        let crc = crc16(text.as_bytes());
        Ok(format!("{text}{crc:04X}"))
    }

    /// Whether a text is meant to be a code.
    pub(super) fn seems(text: &str) -> bool {
        begins_like_one(text)
    }

    /// Reads what somebody copied.
    pub(super) fn read(text: &str) -> Result<Charge, BadBrCode> {
        if text.len() > TEXT_BYTES_MAX || !begins_like_one(text) {
            return Err(BadBrCode::NotOne);
        }
        let mut why = None;
        for text in as_pasted(text) {
            // Lengths count characters, but some programs count the bytes of accented ones.
            for unit in [Unit::Char, Unit::Byte] {
                match Charge::read_with(&text, unit) {
                    // Another reading may be the right one.
                    Err(error @ (BadBrCode::Length | BadBrCode::Crc | BadBrCode::Twice)) => {
                        _ = why.get_or_insert(error);
                    }
                    read => return read,
                }
            }
        }
        Err(why.unwrap_or(BadBrCode::NotOne))
    }

    fn read_with(text: &str, unit: Unit) -> Result<Charge, BadBrCode> {
        let fields = Fields::split(text, unit)?;
        check_crc(text, &fields)?;
        fields.expect("53", |value| value == "986", "a moeda não é o real")?;
        fields.expect("58", |value| value == "BR", "o país não é o Brasil")?;
        let value = fields.find("54").map(amount).transpose()?;
        let (key, description) = account(&fields, unit)?;
        let txid = match fields.find("62") {
            Some(more) => {
                let txid = Fields::split(more, unit)?.find("05");
                txid.filter(|txid| *txid != NO_TXID).map(str::to_owned)
            }
            None => None,
        };
        let name =
            fields.find("59").ok_or(BadBrCode::Field("falta o nome de quem recebe"))?.to_owned();
        let city =
            fields.find("60").ok_or(BadBrCode::Field("falta a cidade de quem recebe"))?.to_owned();
        Ok(Charge { key, value, description, name, city, txid })
    }
}

/// Whether the text can be a BR Code at all, whatever copying has done to it.
fn begins_like_one(text: &str) -> bool {
    let beginning = text.chars().filter(|char| !char.is_whitespace() && !invisible(*char));
    let beginning: String = beginning.skip_while(|char| pasted::is_quote(*char)).take(6).collect();
    beginning == "000201"
}

/// The CRC is in the last field and covers everything before its value, in whatever encoding the
/// code was made.
fn check_crc(text: &str, fields: &Fields<'_>) -> Result<(), BadBrCode> {
    let Some((id, value)) = fields.0.last() else { return Err(BadBrCode::NotOne) };
    let covered = &text[..text.len() - value.len()];
    let latin: Option<Vec<u8>> = covered.chars().map(|char| u8::try_from(char).ok()).collect();
    let fits = |bytes: &[u8]| value.eq_ignore_ascii_case(&format!("{:04X}", crc16(bytes)));
    if *id == "63" && (fits(covered.as_bytes()) || latin.is_some_and(|bytes| fits(&bytes))) {
        Ok(())
    } else {
        Err(BadBrCode::Crc)
    }
}

/// Reais as the code writes them: digits, and perhaps a point and one or two decimals.
fn amount(value: &str) -> Result<Amount, BadBrCode> {
    if value.len() > AMOUNT_CHARS_MAX {
        return Err(BadBrCode::Field("o valor"));
    }
    // `10.` and `00010.00` are amounts here too.
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let whole = match whole.trim_start_matches('0') {
        "" if !whole.is_empty() => "0",
        whole => whole,
    };
    let decimals = if decimals.is_empty() { "0" } else { decimals };
    Amount::parse_json(&format!("{whole}.{decimals}")).map_err(|_| BadBrCode::Field("o valor"))
}

fn account(fields: &Fields<'_>, unit: Unit) -> Result<(PixKey, Option<String>), BadBrCode> {
    // Accounts of other schemes may be in 26 to 51 too, in forms of their own.
    for (_, value) in fields.0.iter().filter(|(id, _)| ("26"..="51").contains(id)) {
        let parts = match Fields::split(value, unit) {
            Err(error) if value.to_ascii_lowercase().contains(PIX) => return Err(error),
            Err(_) => continue,
            Ok(parts) => parts,
        };
        if !parts.find("00").is_some_and(|scheme| scheme.eq_ignore_ascii_case(PIX)) {
            continue;
        }
        let Some(key) = parts.find("01") else {
            return Err(if parts.find("25").is_some() {
                BadBrCode::Dynamic
            } else {
                BadBrCode::Field("falta a chave Pix")
            });
        };
        let key = PixKey::parse(key).map_err(|_| BadBrCode::ForeignKey)?;
        return Ok((key, parts.find("02").map(str::to_owned)));
    }
    Err(BadBrCode::Field("não é uma cobrança Pix"))
}

/// What a length counts.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Char,
    /// A byte of UTF-8.
    Byte,
}

/// Fields in the order in which they occur, no id twice.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn split(mut text: &'a str, unit: Unit) -> Result<Self, BadBrCode> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        while !text.is_empty() {
            let (id, length) =
                (text.get(..2).ok_or(BadBrCode::Length)?, text.get(2..4).ok_or(BadBrCode::Length)?);
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(id) || !digits(length) {
                return Err(BadBrCode::Length);
            }
            let length = length.parse::<usize>().map_err(|_| BadBrCode::Length)?;
            let rest = &text[4..];
            let end = match unit {
                Unit::Byte => Some(length),
                Unit::Char => {
                    let starts = rest.char_indices().map(|(start, _)| start);
                    starts.chain([rest.len()]).nth(length)
                }
            };
            let value = end.and_then(|end| rest.get(..end)).filter(|value| !value.is_empty());
            let value = value.ok_or(BadBrCode::Length)?;
            if fields.iter().any(|(other, _)| *other == id) {
                return Err(BadBrCode::Twice);
            }
            fields.push((id, value));
            text = &rest[value.len()..];
        }
        Ok(Fields(fields))
    }

    fn find(&self, id: &str) -> Option<&'a str> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, value)| *value)
    }

    fn expect(
        &self,
        id: &str,
        fits: impl Fn(&str) -> bool,
        why: &'static str,
    ) -> Result<(), BadBrCode> {
        if self.find(id).is_some_and(fits) { Ok(()) } else { Err(BadBrCode::Field(why)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Centavos;

    /// Every byte before the CRC's value, `6304` included.
    const ISSUE: &str = "00020126330014BR.GOV.BCB.PIX01115794666323452040000530398654041.005802BR5925CLENILTON CRUZ DE ALENCAR6006MANAUS62070503***6304";

    fn charge() -> Charge {
        Charge {
            key: PixKey::parse("1:thiago003").unwrap(),
            value: Some(Amount::parse(Centavos::new(123_456)).unwrap()),
            description: Some("almoco".into()),
            name: "THIAGO NERI".into(),
            city: "FEIRA DE SANT".into(),
            txid: Some("PEDIDO7".into()),
        }
    }

    /// The text with one part replaced and the CRC corrected to match.
    fn altered(from: &str, to: &str) -> String {
        let text = charge().write().unwrap();
        assert!(text.contains(from), "{from} stands in {text}");
        let open = text[..text.len() - 4].replace(from, to);
        format!("{open}{:04X}", crc16(open.as_bytes()))
    }

    #[test]
    fn the_crc_is_the_one_of_the_manuals_example() {
        assert_eq!(format!("{:04X}", crc16(ISSUE.as_bytes())), "FA88");
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(Charge::read(&format!("{ISSUE}FA88")), Err(BadBrCode::ForeignKey));
    }

    #[test]
    fn a_charge_is_read_back_as_it_was_written() {
        let bare = Charge { value: None, description: None, txid: None, ..charge() };
        for charge in [charge(), bare] {
            assert_eq!(Charge::read(&format!(" {}\n", charge.write().unwrap())), Ok(charge));
        }
    }

    #[test]
    fn what_does_not_fit_into_a_code_is_refused() {
        let long_description = Charge { description: Some("x".repeat(80)), ..charge() };
        assert_eq!(long_description.write(), Err(BadBrCode::TooLong("encurte a descrição")));
        let long_key = PixKey::parse(&format!("1:{}", "x".repeat(77))).unwrap();
        assert!(matches!(
            Charge { key: long_key, description: None, ..charge() }.write(),
            Err(BadBrCode::TooLong(_))
        ));
        let huge = Some(Amount::parse(Centavos::new(i64::MAX)).unwrap());
        assert_eq!(
            Charge { value: huge, ..charge() }.write(),
            Err(BadBrCode::TooLong("o valor é grande demais"))
        );
    }

    #[test]
    fn every_single_changed_character_is_noticed() {
        let text = charge().write().unwrap();
        for at in 0..text.len() {
            for new in ["0", "9", "A", " "] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, new);
                // The CRC may be written in small letters too.
                assert!(changed == text || Charge::read(&changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn a_code_that_was_cut_is_noticed_wherever_it_was() {
        let text = charge().write().unwrap();
        for end in 0..text.len() {
            assert!(Charge::read(&text[..end]).is_err(), "{}", &text[..end]);
        }
        assert!(Charge::read(&format!("{text}0")).is_err());
    }

    #[test]
    fn fields_that_cannot_be_paid_here_are_refused_by_name() {
        let refused = [
            (altered("5303986", "5303840"), BadBrCode::Field("a moeda não é o real")),
            (altered("5802BR", "5802US"), BadBrCode::Field("o país não é o Brasil")),
            (altered("54071234.56", "54071234,56"), BadBrCode::Field("o valor")),
            (altered("54071234.56", "54041e10"), BadBrCode::Field("o valor")),
            (altered("54071234.56", "54040.00"), BadBrCode::Field("o valor")),
            (
                altered("br.gov.bcb.pix", "br.gov.bcb.cob"),
                BadBrCode::Field("não é uma cobrança Pix"),
            ),
            (altered("01111:thiago003", "01111-thiago003"), BadBrCode::ForeignKey),
            (altered("01111:thiago003", "25111:thiago003"), BadBrCode::Dynamic),
            (altered("5802BR", "5802BR5802BR"), BadBrCode::Twice),
            (altered("6013FEIRA DE SANT", ""), BadBrCode::Field("falta a cidade de quem recebe")),
            (altered("5911THIAGO", "5999THIAGO"), BadBrCode::Length),
            (altered("5911THIAGO", "59+1THIAGO"), BadBrCode::Length),
            (altered("000201", "000202"), BadBrCode::NotOne),
            ("http://example.test".into(), BadBrCode::NotOne),
            ("000201é".into(), BadBrCode::Length),
        ];
        for (text, why) in refused {
            assert_eq!(Charge::read(&text), Err(why), "{text}");
        }
        assert!(Charge::read(&altered("br.gov.bcb.pix", "BR.GOV.BCB.PIX")).is_ok());
    }

    /// The text with the CRC that belongs to it.
    fn with_crc(open: &str) -> String {
        format!("{open}{:04X}", crc16(open.as_bytes()))
    }

    #[test]
    fn what_copying_does_to_a_code_is_undone() {
        let text = charge().write().unwrap();
        let (blank, middle) = (text.find(' ').unwrap(), 40);
        for pasted in [
            format!("\u{feff}{text}"),
            format!("\"{text}\""),
            format!(" “{text}” \n"),
            format!("'{text}'\u{200b}"),
            format!("{}\r\n{}", &text[..middle], &text[middle..]),
            format!("{}\n{}\n{}", &text[..9], &text[9..middle], &text[middle..]),
            format!("{}\n{}", &text[..blank], &text[blank + 1..]),
            format!("{}\n{}", &text[..=blank], &text[blank + 1..]),
            text.replace(' ', "\u{a0}"),
        ] {
            assert_eq!(Charge::read(&pasted), Ok(charge()), "{pasted:?}");
        }
        let foreign = format!("{}\n{}FA88", &ISSUE[..middle], &ISSUE[middle..]);
        assert_eq!(Charge::read(&foreign), Err(BadBrCode::ForeignKey), "the line's end is not why");
    }

    #[test]
    fn accents_are_read_however_they_were_counted_and_encoded() {
        let text = charge().write().unwrap();
        let open = &text[..text.len() - 4];
        // Ten characters, eleven bytes.
        let by_char = open.replace("5911THIAGO NERI", "5910JOÃO SILVA");
        let by_byte = open.replace("5911THIAGO NERI", "5911JOÃO SILVA");
        let latin: Vec<u8> = by_char.chars().map(|char| char as u8).collect();
        let latin = format!("{by_char}{:04X}", crc16(&latin));
        let taken_apart = with_crc(&by_char).replace('Ã', "A\u{303}");
        for text in [with_crc(&by_char), with_crc(&by_byte), latin, taken_apart] {
            assert_eq!(Charge::read(&text).unwrap().name, "JOÃO SILVA", "{text}");
        }
        let changed = with_crc(&by_char).replace('Ã', "Á");
        assert_eq!(Charge::read(&changed), Err(BadBrCode::Crc));
    }

    #[test]
    fn amounts_of_other_programs_are_read() {
        let read = |written| Charge::read(&altered("54071234.56", written));
        for (written, centavos) in
            [("540310.", 1_000), ("540800010.00", 1_000), ("54030.5", 50), ("5403007", 700)]
        {
            let value = read(written).unwrap().value.unwrap();
            assert_eq!(value.get().get(), centavos, "{written}");
        }
        for written in ["5401.", "540410.5.", "540510.005", "54040000", "54050.000"] {
            assert!(read(written).is_err(), "{written}");
        }
    }

    #[test]
    fn accounts_of_other_schemes_may_come_first_in_forms_of_their_own() {
        for other in ["2606ABCDEF", "26130014br.gov.xx", "27080004SOME"] {
            let read = Charge::read(&altered("26", &other_first(other)));
            assert_eq!(read.map(|charge| charge.key), Ok(charge().key), "{other}");
        }
    }

    /// Another scheme's account, and Pix's after it under the next number.
    fn other_first(other: &str) -> String {
        format!("{other}28")
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "0002[0-9]{2}.{0,80}") {
            let _ = Charge::read(&text);
        }

        #[test]
        fn any_charge_that_is_written_is_read_back(
            value in proptest::option::of(1_i64..99_999_999_999), key in "[0-9]:[!-~]{1,40}", txid in "[A-Za-z0-9]{1,25}",
            description in proptest::option::of("[a-z]{1,10}"), name in "[A-Z]{1,25}", city in "[A-Z]{1,15}",
        ) {
            let value = value.map(|value| Amount::parse(Centavos::new(value)).unwrap());
            let (key, txid) = (PixKey::parse(&key).unwrap(), Some(txid));
            let charge = Charge { key, value, description, name, city, txid };
            prop_assert_eq!(Charge::read(&charge.write().unwrap()), Ok(charge));
        }
    }
}
