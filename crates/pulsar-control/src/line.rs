//! Reads lines of a bounded length.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Splits a stream into lines; a line longer than the limit is an error and never in memory as a whole.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// `limit` is the most bytes of a line, its newline not counted.
    pub(crate) fn new(input: R, limit: usize) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            limit,
        }
    }

    /// The next line without its newline; `None` at the end. Half a line at the end is dropped.
    ///
    /// Cancel safe: what has been read of a line stays here, as only the wait for more input can be cut off.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            let chunk = self.input.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let newline = chunk.iter().position(|&byte| byte == b'\n');
            let content = newline.unwrap_or(chunk.len());
            if content > self.limit - self.line.len() {
                return Err(LineError::TooLong { limit: self.limit });
            }
            self.line.extend_from_slice(&chunk[..content]);
            self.input.consume(content + usize::from(newline.is_some()));
            if newline.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// The stream must be closed: the rest of the line is still in it.
    #[error("a line is longer than the limit of {limit} bytes")]
    TooLong { limit: usize },
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_up_to_the_limit_pass() {
        let mut reader = LineReader::new(&b"abcd\n\nxy\nhalf"[..], 4);
        assert_eq!(reader.next().await.unwrap().unwrap(), b"abcd");
        assert_eq!(reader.next().await.unwrap().unwrap(), b"");
        assert_eq!(reader.next().await.unwrap().unwrap(), b"xy");
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_an_error_with_or_without_its_end() {
        for input in [&b"abcde\n"[..], &b"abcde"[..]] {
            let mut reader = LineReader::new(input, 4);
            assert!(matches!(
                reader.next().await,
                Err(LineError::TooLong { limit: 4 })
            ));
        }
    }
}
