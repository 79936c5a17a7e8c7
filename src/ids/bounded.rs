//! Lists from outside, read up to a bound: what lies beyond it is refused before it takes memory. A
//! few bytes of text can stand for an element of a hundred.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a list of at most `MOST` elements.
pub(crate) fn at_most<'de, D, T, const MOST: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(AtMost::<T, MOST>(PhantomData))
}

struct AtMost<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for AtMost<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST} elements")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Vec<T>, S::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MOST {
                return Err(S::Error::custom(format!("more than {MOST} elements")));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_up_to_its_bound_and_no_further() {
        let read = |text: &str| {
            at_most::<_, u8, 3>(&mut serde_json::Deserializer::from_str(text)).map_err(|_| ())
        };
        assert_eq!(read("[1,2,3]"), Ok(vec![1, 2, 3]));
        assert_eq!(read("[]"), Ok(Vec::new()));
        assert_eq!(read("[1,2,3,4]"), Err(()));
        assert_eq!(read("7"), Err(()));
    }
}
