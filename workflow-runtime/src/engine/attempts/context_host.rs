//! What attempts ask of their run.

use std::any::TypeId;
use std::task::{Context as TaskContext, Poll};

use crate::engine::attempts::result_cache;
use crate::engine::instance::{Inner, RunHost};
use crate::execution::Execution;
use crate::execution::log::Log;
use crate::run::Key;
use crate::task::Shared;
use crate::task::context::{Host, Remembered};
use crate::task::definition::TaskDef;

impl Host for RunHost {
    fn run_id(&self) -> &str {
        &self.id
    }

    fn path(&self, key: Key) -> String {
        let inner = self.lock();
        inner.run.frames.get(key.frame).map(|frame| frame.scope.path(key.step)).unwrap_or_default()
    }

    fn resource(&self, id: TypeId) -> Option<&Shared> {
        self.core.resources.find(id)
    }

    fn mock(&self, id: TypeId) -> Option<&Shared> {
        if self.core.mocks.is_empty() {
            return None;
        }
        self.core.mocks.get(&id).map(|mock| &**mock)
    }

    fn remembered<'a>(&'a self, key: &'a [u8], task: &'static TaskDef) -> Remembered<'a> {
        result_cache::look_up(&self.core, key, task)
    }

    fn poll_cancelled(&self, key: Key, epoch: u32, cx: Option<&mut TaskContext<'_>>) -> Poll<()> {
        if cx.is_none() && !self.is_stopping() {
            return Poll::Pending;
        }
        let mut inner = self.lock();
        if inner.work.controls.is_stopped(key, epoch) {
            return Poll::Ready(());
        }
        if let Some(cx) = cx {
            inner.work.controls.await_stop(key, epoch, cx.waker());
        }
        Poll::Pending
    }

    fn earlier(&self, path: &str, undo: bool) -> u32 {
        let inner = self.lock();
        inner.run.leftovers.as_ref().map_or(0, |leftovers| leftovers.earlier(path, undo))
    }

    fn progress(&self, key: Key, _epoch: u32, done: u64, total: u64) {
        let now = self.core.clock.now();
        let mut inner = self.lock();
        let Inner { run: Execution { frames, log, .. }, watched, .. } = &mut *inner;
        let Some(frame) = frames.get_mut(key.frame) else { return };
        let told = log.progress(frame, key.step, now, done, total) && std::mem::take(watched);
        drop(inner);
        if told {
            self.changed.notify_waiters();
        }
    }

    fn heartbeat(&self, key: Key, _epoch: u32) {
        let now = self.core.clock.now();
        if let Some(frame) = self.lock().run.frames.get_mut(key.frame) {
            Log::heartbeat(frame, key.step, now);
        }
    }
}
