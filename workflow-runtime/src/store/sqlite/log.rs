//! What a write-ahead log holds, read without SQLite, which would apply it to
//! whatever database has its name.
//!
//! The format is SQLite's, and documented with it: a header, and frames of a
//! page each. A frame counts if it has the header's salts and the sum of all
//! before it is right, up to the last one that ends a transaction.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// With sums of numbers whose first byte is the lowest, and with others.
const MAGIC: [u32; 2] = [0x377f_0682, 0x377f_0683];

/// The commits of a log.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    page_size: usize,
    /// Where in the log the latest of each page is.
    pages: BTreeMap<u32, u64>,
}

impl Log {
    /// `None` where there is no such log, or no commit in it.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        // Not even opened unless it is a file: to open a pipe waits.
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() && found.len() > HEADER as u64 => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(None),
        }
        let file = File::open(path)?;
        let mut from = BufReader::with_capacity(1 << 20, &file);
        let mut header = [0; HEADER];
        from.read_exact(&mut header)?;
        let (magic, page_size) = (number(&header, 0), number(&header, 8));
        if !MAGIC.contains(&magic) || !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
            return Ok(None);
        }
        let (salts, page_size) = (&header[16..24], page_size as usize);
        let mut sum = Sum { big: magic == MAGIC[1], sums: (0, 0) };
        sum.add(&header[..24]);
        if !sum.is(&header[24..]) {
            return Ok(None);
        }
        let (mut pages, mut open) = (BTreeMap::new(), Vec::new());
        let (mut frame, mut place) = (vec![0; FRAME + page_size], HEADER as u64);
        while from.read_exact(&mut frame).is_ok() {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME..]);
            if &frame[8..16] != salts || !sum.is(&frame[16..]) {
                break;
            }
            open.push((number(&frame, 0), place + FRAME as u64));
            place += frame.len() as u64;
            // How many pages the database has after a commit.
            let size = number(&frame, 4);
            if size > 0 {
                pages.extend(open.drain(..));
                pages.retain(|page, _| *page <= size);
            }
        }
        Ok((!pages.is_empty()).then_some(Self { file, page_size, pages }))
    }

    /// Whether a database lacks what stands here. `read` reads its bytes from a
    /// place on, fewer where there are no more.
    pub(super) fn is_missing(
        &mut self,
        read: impl Fn(u64, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let (mut here, mut there) = (vec![0; self.page_size], vec![0; self.page_size]);
        for (page, place) in &self.pages {
            self.file.seek(SeekFrom::Start(*place))?;
            self.file.read_exact(&mut here)?;
            let at = u64::from(page.saturating_sub(1)) * self.page_size as u64;
            if read(at, &mut there)? < there.len() || here != there {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// SQLite's sum of what a log holds so far.
struct Sum {
    big: bool,
    sums: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(4).filter_map(|four| four.try_into().ok());
        let mut words = words.map(if self.big { u32::from_be_bytes } else { u32::from_le_bytes });
        let (mut first, mut second) = self.sums;
        while let (Some(one), Some(other)) = (words.next(), words.next()) {
            first = first.wrapping_add(one).wrapping_add(second);
            second = second.wrapping_add(other).wrapping_add(first);
        }
        self.sums = (first, second);
    }

    fn is(&self, bytes: &[u8]) -> bool {
        self.sums == (number(bytes, 0), number(bytes, 4))
    }
}
