use super::StoredEvent;
use super::event::StoredRetry;
use crate::failure::Failure;
use crate::run::Timestamp;

/// What a store holds is read by every later version, so these texts are
/// never changed.
#[test]
fn events_are_written_as_they_always_were() {
    let failure = || Failure::new(crate::Cause::Error, "no route");
    let step = (0, 0, 3);
    let cases = [
        (StoredEvent::Begun, r#"{"event":"begun"}"#),
        (
            StoredEvent::ArmChosen { step, arm: 1, path: None },
            r#"{"event":"arm_chosen","step":[0,0,3],"arm":1}"#,
        ),
        (
            StoredEvent::AttemptSucceeded { step, epoch: 2 },
            r#"{"event":"attempt_succeeded","step":[0,0,3],"epoch":2}"#,
        ),
        (
            StoredEvent::AttemptFailed {
                step,
                epoch: 2,
                failure: failure(),
                retry: StoredRetry::Retry,
                roll: 0.5,
            },
            r#"{"event":"attempt_failed","step":[0,0,3],"epoch":2,"failure":{"cause":"error","messages":["no route"]},"retry":"retry","roll":0.5}"#,
        ),
        (
            StoredEvent::WaitDecided { step, until: Timestamp(7) },
            r#"{"event":"wait_decided","step":[0,0,3],"until":7}"#,
        ),
        (
            StoredEvent::Signalled { name: "go".to_owned(), key: None, step: None, by: None },
            r#"{"event":"signalled","name":"go"}"#,
        ),
        (StoredEvent::ShutDown, r#"{"event":"shut_down"}"#),
        (StoredEvent::NotBegun, r#"{"event":"not_begun"}"#),
    ];
    for (event, text) in cases {
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!(serde_json::from_str::<StoredEvent>(text).unwrap(), event);
    }
}
