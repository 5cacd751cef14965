//! Several addresses to listen on, as one setting.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bind::{Bind, BindParseError};

/// The most addresses that one server listens on. Far above any use known; it bounds the descriptors that each worker inherits.
pub const MAX_BINDS: usize = 64;

/// From 1 to [`MAX_BINDS`] addresses, separated by commas: a value of `--bind`.
///
/// The path of a Unix socket in it cannot hold a comma. In settings and on the wire it is a string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BindList(Vec<Bind>);

impl BindList {
    /// The addresses, in the order given; at least one.
    #[must_use]
    pub fn as_slice(&self) -> &[Bind] {
        &self.0
    }
}

impl Default for BindList {
    /// `127.0.0.1:8060`
    fn default() -> Self {
        Self(vec![Bind::Tcp("127.0.0.1".to_owned(), 8060)])
    }
}

impl From<Bind> for BindList {
    fn from(bind: Bind) -> Self {
        Self(vec![bind])
    }
}

impl FromStr for BindList {
    type Err = BindParseError;

    fn from_str(text: &str) -> Result<Self, BindParseError> {
        let count = text.split(',').count();
        if count > MAX_BINDS {
            return Err(BindParseError::TooMany(count));
        }
        let binds = text
            .split(',')
            .map(|bind| bind.trim().parse())
            .collect::<Result<_, _>>()?;
        Ok(Self(binds))
    }
}

impl fmt::Display for BindList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bind) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{bind}")?;
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a BindList {
    type Item = &'a Bind;
    type IntoIter = std::slice::Iter<'a, Bind>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl TryFrom<String> for BindList {
    type Error = BindParseError;

    fn try_from(text: String) -> Result<Self, BindParseError> {
        text.parse()
    }
}

impl From<BindList> for String {
    fn from(list: BindList) -> Self {
        list.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_order_and_prints_back() {
        let list: BindList = "127.0.0.1:1, :2,unix:/a".parse().unwrap();
        assert_eq!(list.as_slice().len(), 3);
        assert_eq!(list.to_string(), "127.0.0.1:1,:2,unix:/a");
    }

    #[test]
    fn the_default_is_the_local_port_8060() {
        assert_eq!(BindList::default().to_string(), "127.0.0.1:8060");
    }

    #[test]
    fn an_empty_list_and_an_empty_place_are_refused() {
        assert_eq!("".parse::<BindList>(), Err(BindParseError::Form));
        assert_eq!(":1,,:2".parse::<BindList>(), Err(BindParseError::Form));
    }

    #[test]
    fn a_list_of_64_is_taken_and_one_of_65_is_refused() {
        let many = |count: usize| vec![":0"; count].join(",").parse::<BindList>();
        assert_eq!(many(64).unwrap().as_slice().len(), 64);
        assert_eq!(many(65), Err(BindParseError::TooMany(65)));
    }

    #[test]
    fn a_list_is_a_value_of_the_command_line() {
        #[derive(clap::Parser)]
        struct Arguments {
            #[arg(long, default_value_t)]
            bind: BindList,
        }
        let parse = |list: &[&str]| <Arguments as clap::Parser>::try_parse_from(list);
        assert_eq!(parse(&["x"]).unwrap().bind, BindList::default());
        assert_eq!(
            parse(&["x", "--bind", ":1,:2"])
                .unwrap()
                .bind
                .as_slice()
                .len(),
            2
        );
        let error = parse(&["x", "--bind", "nonsense"])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("give HOST:PORT"), "{error}");
    }
}
