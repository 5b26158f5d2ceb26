//! An encrypted value as bytes: a mark, the format, the number of its key, a
//! nonce, and what XChaCha20-Poly1305 makes of the value and of its place.
//!
//! Never here: where keys come from.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use super::key::{Key, random};
use crate::store::StoreError;

/// How an encrypted value begins. None of the bytes can stand there in a text,
/// so no value that was stored in clear as JSON looks like one.
const MARK: [u8; 6] = [0x9f, 0x8e, 0xf7, 0xc1, 0xfe, 0x92];

/// The only format so far.
const FORMAT: u8 = 1;

/// Mark, format and number of the key.
const HEAD: usize = MARK.len() + 1 + 4;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Why bytes do not open, in words that follow a place.
type Problem = &'static str;

pub(super) const CHANGED: Problem = "it was changed, or comes from another place or another store";

/// What bytes are.
pub(super) enum Found {
    /// No envelope.
    Clear,
    /// An envelope of the data key with this number.
    Sealed(u32),
}

/// Looks at how bytes begin.
pub(super) fn look(bytes: &[u8]) -> Result<Found, Problem> {
    let same = bytes.iter().zip(MARK).filter(|(byte, mark)| *byte == mark).count();
    if same < MARK.len() {
        // A mark with some byte changed would otherwise pass for a value.
        return if same > MARK.len() / 2 { Err(CHANGED) } else { Ok(Found::Clear) };
    }
    match bytes.get(MARK.len()) {
        Some(&FORMAT) => {}
        Some(_) => return Err("its encryption has a format that this program does not know"),
        None => return Err(CHANGED),
    }
    let number = bytes.get(MARK.len() + 1..HEAD).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    number.map(|number| Found::Sealed(u32::from_be_bytes(number))).ok_or(CHANGED)
}

/// Encrypts a value with the data key of this number.
pub(super) fn seal(number: u32, key: &Key, place: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut sealed = Vec::with_capacity(HEAD + NONCE + value.len() + TAG);
    sealed.extend(MARK);
    sealed.push(FORMAT);
    sealed.extend(number.to_be_bytes());
    let place = [&sealed, place].concat();
    let mut nonce = [0; NONCE];
    random(&mut nonce)?;
    sealed.extend(nonce);
    sealed.extend(value);
    let tag = cipher(key)
        .encrypt_inout_detached(&XNonce::from(nonce), &place, (&mut sealed[HEAD + NONCE..]).into())
        .map_err(|_| StoreError::Other { message: "a value is too large to be encrypted".to_owned() })?;
    sealed.extend(tag);
    Ok(sealed)
}

/// Decrypts what [`seal`] made, in place. Only for bytes that [`look`] found
/// sealed.
pub(super) fn open(key: &Key, place: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let end = sealed.len().checked_sub(TAG).filter(|end| *end >= HEAD + NONCE).ok_or(CHANGED)?;
    let tag = <[u8; TAG]>::try_from(&sealed[end..]).map_err(|_| CHANGED)?;
    let nonce = <[u8; NONCE]>::try_from(&sealed[HEAD..HEAD + NONCE]).map_err(|_| CHANGED)?;
    let place = [&sealed[..HEAD], place].concat();
    sealed.truncate(end);
    cipher(key)
        .decrypt_inout_detached(
            &XNonce::from(nonce),
            &place,
            (&mut sealed[HEAD + NONCE..]).into(),
            &tag.into(),
        )
        .map_err(|_| CHANGED)?;
    sealed.drain(..HEAD + NONCE);
    Ok(sealed)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}
