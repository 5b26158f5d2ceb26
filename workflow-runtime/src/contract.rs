//! What [`task`](macro@crate::task) and [`workflow!`](crate::workflow!) write for you.
//!
//! Nobody has to name these: the macros implement them, and a bound that is not
//! met shows them in a message of the compiler. They are here to be looked up,
//! and for a crate that builds upon tasks in general. What such code most often
//! needs, [`Task`], [`RunsOn`](crate::RunsOn) and [`Provides`](crate::Provides),
//! is at the crate's root.
//!
//! ```
//! use workflow_runtime::contract::Codec;
//!
//! // How every output of this type is saved; a type that cannot be saved is
//! // refused here, as it is in a task.
//! const CODEC: Codec = Codec::of::<Vec<u64>>();
//! # let _ = CODEC;
//! ```

pub use crate::__private::PlainFunction;
pub use crate::codec::CodecError;
pub use crate::moment::Moment;
pub use crate::ordered::Ordered;
pub use crate::task::cache::CachedBy;
pub use crate::task::reconcile::{Finds, Reconciles};
pub use crate::task::undo::Undoes;
pub use crate::task::{Call, Fallible, Running, Task};
pub use crate::tried::Tried;
#[doc(hidden)]
pub use crate::tried::tried;
pub use crate::value::{Codec, Value};
pub use crate::workflow::SignalKey;
