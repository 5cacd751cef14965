//! Tagged fields: the encoding of records to which later versions add.
//!
//! A record is a sequence of fields, each a tag (2 bytes, little endian), a length (4 bytes)
//! and that many bytes. A reader skips tags it does not know and takes its own default for
//! those that are absent, so that both sides can be one version apart.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Fields in one record: far more than any record has, far fewer than would cost a reader.
const MAX_FIELDS: usize = 4096;

/// Writes fields.
#[derive(Debug, Default)]
pub struct FieldsWriter {
    out: BytesMut,
}

impl FieldsWriter {
    /// Appends one field. A tag may repeat: a reader of lists takes all, others the last.
    ///
    /// # Panics
    ///
    /// If the value is 4 GiB or longer.
    pub fn put(&mut self, tag: u16, value: &[u8]) -> &mut Self {
        let length = u32::try_from(value.len()).expect("a field is shorter than 4 GiB");
        self.out.put_u16_le(tag);
        self.out.put_u32_le(length);
        self.out.put_slice(value);
        self
    }

    /// Appends a number.
    pub fn put_u64(&mut self, tag: u16, value: u64) -> &mut Self {
        self.put(tag, &value.to_le_bytes())
    }

    /// The record.
    pub fn finish(self) -> Bytes {
        self.out.freeze()
    }
}

/// A record's fields, in the order in which they were written.
#[derive(Debug)]
pub struct Fields {
    all: Vec<(u16, Bytes)>,
}

impl Fields {
    /// Splits a record into fields, without copying them.
    ///
    /// # Errors
    ///
    /// [`FieldsError`] if a length points past the end or there are over 4,096 fields.
    pub fn read(mut bytes: Bytes) -> Result<Self, FieldsError> {
        let mut all = Vec::new();
        while bytes.has_remaining() {
            if all.len() == MAX_FIELDS {
                return Err(FieldsError::TooMany);
            }
            if bytes.remaining() < 6 {
                return Err(FieldsError::Truncated);
            }
            let tag = bytes.get_u16_le();
            let length = bytes.get_u32_le() as usize;
            if length > bytes.remaining() {
                return Err(FieldsError::Truncated);
            }
            all.push((tag, bytes.split_to(length)));
        }
        Ok(Self { all })
    }

    /// The last value of `tag`.
    pub fn get(&self, tag: u16) -> Option<&Bytes> {
        self.list(tag).next_back()
    }

    /// All values of `tag`, in order.
    pub fn list(&self, tag: u16) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.all
            .iter()
            .filter(move |(known, _)| *known == tag)
            .map(|(_, value)| value)
    }

    /// The value of `tag` as a number, 0 where it is absent.
    ///
    /// # Errors
    ///
    /// [`FieldsError::Value`] if it is not 8 bytes long.
    pub fn get_u64(&self, tag: u16) -> Result<u64, FieldsError> {
        let Some(value) = self.get(tag) else {
            return Ok(0);
        };
        let bytes = <[u8; 8]>::try_from(&value[..]).map_err(|_| FieldsError::Value(tag))?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The value of `tag` as a number of at most 32 bits, 0 where it is absent.
    ///
    /// # Errors
    ///
    /// [`FieldsError::Value`] if it is not 8 bytes long or larger.
    pub fn get_u32(&self, tag: u16) -> Result<u32, FieldsError> {
        u32::try_from(self.get_u64(tag)?).map_err(|_| FieldsError::Value(tag))
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FieldsError {
    /// A field goes past the end.
    #[error("record ends in the middle of a field")]
    Truncated,
    /// Over 4,096 fields.
    #[error("record has over {MAX_FIELDS} fields")]
    TooMany,
    /// A field's value has the wrong form.
    #[error("record's field {0} has the wrong form")]
    Value(u16),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_come_back_in_order(
            fields in proptest::collection::vec(
                (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..20),
        ) {
            let mut writer = FieldsWriter::default();
            for (tag, value) in &fields {
                writer.put(*tag, value);
            }
            let read = Fields::read(writer.finish()).unwrap();
            let read: Vec<_> = read.all.iter().map(|(tag, value)| (*tag, value.to_vec())).collect();
            prop_assert_eq!(read, fields);
        }

        #[test]
        fn garbage_is_read_without_a_panic(bytes: Vec<u8>) {
            if let Ok(fields) = Fields::read(bytes.into()) {
                let _ = (fields.get_u64(1), fields.get_u32(2));
            }
        }
    }

    #[test]
    fn an_unknown_tag_is_skipped_and_an_absent_one_is_zero() {
        let mut writer = FieldsWriter::default();
        writer.put(900, b"from the future").put_u64(1, 7);
        let fields = Fields::read(writer.finish()).unwrap();
        assert_eq!(fields.get_u64(1), Ok(7));
        assert_eq!(fields.get_u64(2), Ok(0));
    }
}
