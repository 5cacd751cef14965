//! The text of a panic.

use std::any::Any;

/// The message of a panic, from its payload; a text that says so if it has none.
pub fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return text;
    }
    payload
        .downcast_ref::<String>()
        .map_or("panic without a message", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_its_text() {
        assert_eq!(panic_message(&"plain"), "plain");
        assert_eq!(panic_message(&"formatted".to_owned()), "formatted");
        assert_eq!(panic_message(&7_u8), "panic without a message");
    }
}
