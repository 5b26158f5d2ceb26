//! An event as a line: `shop::orders: late order=17 by="3 days"`.

use std::error::Error;
use std::fmt::{Debug, Write};

use tracing::Event;
use tracing::field::{Field, Visit};

use crate::exact::{FIELD, HIDDEN};
use crate::words::{Bounded, chain};

/// How many bytes a message may have, and the fields of an event together.
const LIMIT: usize = 8 << 10;

/// What the name of a field contains whose value is not to be seen.
const SECRETS: [&str; 6] = ["secret", "password", "passwd", "token", "authorization", "apikey"];

/// The line of an event.
pub(super) fn of(event: &Event<'_>) -> String {
    let mut parts = LineParts { message: Bounded::new(LIMIT), fields: Bounded::new(LIMIT) };
    event.record(&mut parts);
    let LineParts { message, fields } = parts;
    let mut line = event.metadata().target().to_owned();
    line.push(':');
    for part in [message.end(), fields.end()] {
        if !part.is_empty() {
            line.push(' ');
            line.push_str(&part);
        }
    }
    line
}

struct LineParts {
    message: Bounded,
    fields: Bounded,
}

impl LineParts {
    fn record(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        // What the bridge from the crate `log` adds to say where it was.
        if name.starts_with("log.") {
            return;
        }
        if name == "message" {
            return write_value(&mut self.message, value);
        }
        let fields = &mut self.fields;
        if !fields.is_empty() {
            fields.push(" ");
        }
        fields.push(name.strip_prefix("r#").unwrap_or(name));
        fields.push("=");
        if is_secret(name) { fields.push(HIDDEN) } else { write_value(fields, value) }
    }
}

impl Visit for LineParts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // A message that is a mere text is not quoted.
        if field.name() == "message" {
            return self.record(field, &format_args!("{value}"));
        }
        self.record(field, &value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record(field, &format_args!("{}", chain(value).join(": ")));
    }
}

fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' '));
    let name: String = letters.flat_map(char::to_lowercase).collect();
    SECRETS.iter().any(|secret| name.contains(secret))
}

fn write_value(to: &mut Bounded, value: &dyn Debug) {
    let before = to.mark();
    // A value that refuses to be written is not shown.
    let written = write!(to, "{value:?}");
    if written.is_err() || to.since(before).contains(FIELD) {
        // Where in it the secret is and where it ends cannot be known.
        to.back_to(before);
        to.push(HIDDEN);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::{Context, Layer};
    use tracing_subscriber::prelude::*;

    use super::*;
    use crate::Secret;

    struct Lines(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(of(event));
        }
    }

    /// The lines of what `say` says, without their target.
    fn lines(say: impl FnOnce()) -> Vec<String> {
        let lines = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(&lines)));
        tracing::subscriber::with_default(subscriber, say);
        let lines = lines.lock().unwrap();
        lines.iter().map(|line| line.strip_prefix("shop: ").unwrap().to_owned()).collect()
    }

    macro_rules! say {
        ($($event:tt)*) => { tracing::info!(target: "shop", $($event)*) };
    }

    #[test]
    fn a_line_has_its_message_and_its_fields() {
        let error = Wrong("x".parse::<u8>().unwrap_err());
        let said = lines(|| {
            say!(order = 17, by = "3 days", late = true, "a {} order", "big");
            say!(amount = ?Some(1.5), who = %"Ada");
            say!(error = &error as &dyn Error, r#type = 1);
            say!("two\nlines");
            say!(message = "plain");
        });
        let wanted = [
            r#"a big order order=17 by="3 days" late=true"#,
            "amount=Some(1.5) who=Ada",
            "error=no amount: invalid digit found in string type=1",
            "two\nlines",
            "plain",
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn what_is_secret_is_not_seen() {
        let token = Secret::from("hunter2".to_owned());
        let saved = serde_json::to_string(&token).unwrap();
        let said = lines(|| {
            say!(password = "hunter2", userPassword = "hunter2", "api-key" = "hunter2", API_KEY = 7, a = 1);
            say!(passwd = "hunter2", x.access_token = %"hunter2", Authorization = "Bearer hunter2");
            say!(client_secret = ?"hunter2", apikey = "hunter2", "x-api-key" = true, b = 2);
            say!(user = ?token, "log in with {token}");
            say!(user = %saved, body = ?saved, c = 3, "log in with {saved}");
        });
        let wanted = [
            "password=*** userPassword=*** api-key=*** API_KEY=*** a=1",
            "passwd=*** x.access_token=*** Authorization=***",
            "client_secret=*** apikey=*** x-api-key=*** b=2",
            "log in with *** user=***",
            "*** user=*** body=*** c=3",
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_line_is_bounded() {
        let long = "ü".repeat(LIMIT);
        let said = lines(|| say!(a = 1, long = %long, secret = "hunter2", "{long}"));
        let (text, end) = said[0].split_at(LIMIT);
        assert!(text.chars().all(|c| c == 'ü'));
        assert!(end.starts_with(&format!("… ({LIMIT} bytes left out) a=1 long=ü")), "{end}");
        assert!(said[0].len() < 2 * LIMIT + 100 && !said[0].contains("hunter2"));
        // A secret that is cut through.
        let padded = format!("{}{}", "x".repeat(LIMIT - 4), r#"{"$secret":"hunter2"}"#);
        assert!(!lines(|| say!("{padded}"))[0].contains("hunter2"));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no amount")]
    struct Wrong(#[source] std::num::ParseIntError);

    struct Broken;

    impl Debug for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }

    #[test]
    fn what_cannot_be_written_spoils_no_line() {
        assert_eq!(lines(|| say!(a = ?Broken, b = 1, "fine")), ["fine a=*** b=1"]);
    }
}
