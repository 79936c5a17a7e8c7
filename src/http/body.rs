//! Reads JSON bodies so that a mistake is explained in the customer's language: which field it is
//! and what was expected.
//!
//! An object is read as its fields in document order, each still raw. A key that occurs twice is
//! refused: parsers differ on which of the two counts, and money must not depend on that.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use actix_http::HttpMessage as _;
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroize as _;

use super::refusal::{Bad, Kind, Refused};
use super::share::{CUSTOMER_BODY_BYTES_MAX, origin};
use crate::limits::Origin;
use crate::limits::bodies::Bodies;

/// Largest body from a customer that has no package in it, in bytes.
pub(super) const SMALL_BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The memory that a worker has for customers' bodies.
#[derive(Clone)]
pub(super) struct Memory(Rc<RefCell<Bodies>>);

impl Memory {
    /// To be made on the worker's thread.
    pub(super) fn new(bytes_max: usize) -> Self {
        Memory(Rc::new(RefCell::new(Bodies::new(bytes_max))))
    }
}

/// A customer's body; its memory counts for as long as it exists.
pub(crate) struct Body {
    bytes: BytesMut,
    bytes_max: usize,
    from: Option<Origin>,
    memory: Memory,
}

impl Body {
    fn extend(&mut self, chunk: &[u8]) -> Result<(), Refused> {
        let size = self.bytes.len() + chunk.len();
        if size > self.bytes_max {
            return Err(Refused::TooLarge(self.bytes_max));
        }
        self.memory.0.borrow_mut().take(self.from, size, chunk.len())?;
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // There may be a password in it.
        self.bytes.as_mut().zeroize();
        self.memory.0.borrow_mut().give_back(self.from, self.bytes.len());
    }
}

/// Left with a request whose body has come to its end.
struct Whole;

/// Whether nothing of a request's body is left to be read.
pub(super) fn is_read(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let is_none = |length: &HeaderValue| length.as_bytes() == b"0";
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| !is_none(length));
    !has_body || request.extensions().contains::<Whole>()
}

/// A customer's body, as it arrives.
pub(super) async fn receive(request: &HttpRequest, payload: Payload) -> Result<Body, Refused> {
    receive_body(request, payload, SMALL_BODY_BYTES_MAX).await
}

/// One that may hold a package or a basket.
pub(crate) async fn receive_large(
    request: &HttpRequest,
    payload: Payload,
) -> Result<Body, Refused> {
    receive_body(request, payload, CUSTOMER_BODY_BYTES_MAX).await
}

async fn receive_body(
    request: &HttpRequest,
    mut payload: Payload,
    bytes_max: usize,
) -> Result<Body, Refused> {
    let memory = request.app_data::<Memory>().cloned().ok_or(Refused::Internal)?;
    let mut body = Body { bytes: BytesMut::new(), bytes_max, from: origin(request), memory };
    let whole = async {
        while let Some(chunk) = payload.next().await {
            body.extend(&chunk.map_err(|_| Bad::Unfinished)?)?;
        }
        request.extensions_mut().insert(Whole);
        Ok(body)
    };
    actix_rt::time::timeout(BODY_TIMEOUT, whole).await.map_err(|_| Refused::TooSlow)?
}

/// A body of at most `bytes_max` bytes, read only once the caller has been recognised.
pub(super) async fn receive_up_to(payload: Payload, bytes_max: usize) -> Result<Bytes, Refused> {
    match actix_rt::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(bytes_max)).await {
        Err(_) => Err(Refused::TooSlow),
        Ok(Err(_)) => Err(Refused::TooLarge(bytes_max)),
        Ok(Ok(Err(_))) => Err(Bad::Unfinished.into()),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

/// The fields of a JSON object in document order.
pub(super) struct Fields<'a> {
    /// Where in the body the object is, for messages; empty for the body itself.
    place: String,
    fields: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads a whole body.
    pub(super) fn of_body(body: &'a [u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(body).map_err(|_| Bad::NotUtf8)?;
        // Some programs put a byte order mark before JSON; RFC 8259, section 8.1, lets a reader
        // skip it.
        Fields::read(text.strip_prefix('\u{feff}').unwrap_or(text), String::new())
    }

    /// Reads an object that is a field of another.
    pub(super) fn of_field(raw: &'a RawValue, place: String) -> Result<Self, Refused> {
        Fields::read(raw.get(), place)
    }

    fn read(text: &'a str, place: String) -> Result<Self, Refused> {
        let Object(fields) =
            serde_json::from_str(text).map_err(|error| not_an_object(&error, &place))?;
        let mut seen = BTreeSet::new();
        if let Some((twice, _)) = fields.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            return Err(Bad::Twice(within(&place, twice)).into());
        }
        Ok(Fields { place, fields })
    }

    /// All fields with the place of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue, String)> {
        self.fields.iter().map(|(name, raw)| (name.as_str(), *raw, within(&self.place, name)))
    }

    /// The place of a field, for messages.
    pub(super) fn place(&self, name: &str) -> String {
        within(&self.place, name)
    }

    /// Refuses fields that mean nothing here.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refused> {
        match self.fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(Bad::Unknown(within(&self.place, name)).into()),
            None => Ok(()),
        }
    }

    /// A field that may be absent.
    pub(super) fn find(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, raw)| *raw)
    }

    /// A field that must be there.
    pub(super) fn raw(&self, name: &str) -> Result<&'a RawValue, Refused> {
        self.find(name).ok_or_else(|| Bad::Missing(within(&self.place, name)).into())
    }

    /// A field that must be there and be a text.
    pub(super) fn text(&self, name: &str) -> Result<String, Refused> {
        text(self.raw(name)?, &within(&self.place, name))
    }

    /// A field that must be there and be a whole number of this type.
    pub(super) fn number<T: DeserializeOwned>(&self, name: &str) -> Result<T, Refused> {
        serde_json::from_str(self.raw(name)?.get())
            .map_err(|_| Bad::NotA(within(&self.place, name), Kind::Number).into())
    }

    /// A field that must be there and be a list.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&'a RawValue>, Refused> {
        serde_json::from_str(self.raw(name)?.get())
            .map_err(|_| Bad::NotA(within(&self.place, name), Kind::List).into())
    }

    /// A field that must be there and be one of the words that `T` knows.
    pub(super) fn word<T: DeserializeOwned>(
        &self,
        name: &str,
        words: &'static [&'static str],
    ) -> Result<T, Refused> {
        serde_json::from_str(self.raw(name)?.get())
            .map_err(|_| Bad::NotA(within(&self.place, name), Kind::OneOf(words)).into())
    }
}

/// A JSON text, without control characters.
pub(super) fn text(raw: &RawValue, place: &str) -> Result<String, Refused> {
    let text = serde_json::from_str::<String>(raw.get())
        .map_err(|_| Bad::NotA(place.to_owned(), Kind::Text))?;
    if text.chars().any(char::is_control) {
        return Err(Bad::ControlCharacters(place.to_owned()).into());
    }
    Ok(text)
}

fn within(place: &str, name: &str) -> String {
    // A hostile name may be long; the message need not be.
    let name: String = name.chars().take(64).collect();
    if place.is_empty() { name } else { format!("{place}.{name}") }
}

fn not_an_object(error: &serde_json::Error, place: &str) -> Bad {
    if !place.is_empty() {
        Bad::NotA(place.to_owned(), Kind::Object)
    } else if error.is_data() {
        Bad::NotAnObject
    } else {
        Bad::NotJson { line: error.line(), column: error.column() }
    }
}

struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(InOrder).map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        Fields::of_body(body.as_bytes()).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_named_in_portuguese() {
        assert_eq!(refusal("{"), "O corpo não é JSON válido (linha 1, coluna 1)");
        assert_eq!(refusal("[]"), "O corpo deve ser um objeto JSON");
        assert_eq!(refusal(r#"{"a":1,"b":2,"a":3}"#), "O campo a aparece duas vezes");
        let fields = Fields::of_body(br#"{"a":1}"#).unwrap();
        assert_eq!(fields.text("a").unwrap_err().to_string(), "O campo a deve ser um texto");
        assert_eq!(fields.text("b").unwrap_err().to_string(), "Falta o campo b");
    }

    #[test]
    fn endless_nesting_is_refused_or_left_raw_but_never_overflows_the_stack() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        if let Ok(fields) = Fields::of_body(deep.as_bytes()) {
            assert_eq!(fields.text("a").unwrap_err().to_string(), "O campo a deve ser um texto");
        }
    }
}
