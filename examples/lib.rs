//! What the examples share: the way out. They show their runs with
//! [`watch`](workflow_runtime::app::watch), which is there with the feature
//! `app`.

mod exit;

pub use exit::exit;
