//! JSON values on their way between actors.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A JSON value as an argument or a reply: for what has no type that both sides know.
///
/// The codec between processes cannot carry JSON values as such; there they travel as text.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Json(pub Value);

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_text(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer).map(Self)
    }
}

/// Writes what is made of JSON values: as itself where the format describes itself, else as text.
pub(crate) fn as_text<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        return value.serialize(serializer);
    }
    let text = serde_json::to_string(value).map_err(S::Error::custom)?;
    text.serialize(serializer)
}

/// Reads what [`as_text`] wrote.
pub(crate) fn from_text<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    if deserializer.is_human_readable() {
        return T::deserialize(deserializer);
    }
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_travels_in_both_codecs() {
        let json = Json(serde_json::json!({"port": [1, "x", null]}));
        let bytes = postcard::to_stdvec(&json).unwrap();
        assert_eq!(postcard::from_bytes::<Json>(&bytes).unwrap(), json);
        let text = serde_json::to_string(&json).unwrap();
        assert_eq!(text, r#"{"port":[1,"x",null]}"#);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), json);
    }
}
