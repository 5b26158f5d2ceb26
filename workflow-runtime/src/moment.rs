//! Points in time, of whichever type the user has them.

use jiff::Zoned;

/// A point in time that `sleep_until` understands.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no point in time",
    label = "this is no point in time",
    note = "`sleep_until` takes a `SystemTime`, a `jiff::Timestamp` or a `jiff::Zoned`"
)]
pub trait Moment {
    /// The time.
    fn system_time(self) -> std::time::SystemTime;
}

#[diagnostic::do_not_recommend]
impl Moment for std::time::SystemTime {
    fn system_time(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl Moment for jiff::Timestamp {
    fn system_time(self) -> std::time::SystemTime {
        self.into()
    }
}

#[diagnostic::do_not_recommend]
impl Moment for Zoned {
    fn system_time(self) -> std::time::SystemTime {
        self.into()
    }
}
