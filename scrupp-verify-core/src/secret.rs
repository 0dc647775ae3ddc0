use core::fmt;

use crate::{
    ConfigError,
    mac::{self, MacKey},
};

/// A webhook secret, which is the first API key on the settings page of a Scrupp account.
///
/// Holds only the HMAC key that is prepared from the secret string, not the string itself.
///
/// # Security
///
/// - The secret is also an API key. An attacker who has it can forge deliveries and call the API.
/// - `Debug`, errors and logs do not contain the secret.
/// - The prepared key is wiped from memory on drop. Copies of the string, such as an environment
///   variable, are not wiped.
///
/// # Examples
///
/// ```
/// use scrupp_verify_core::{ConfigError, Secret};
///
/// assert!(Secret::new("sk_live_51H").is_ok());
///
/// assert_eq!(Secret::new("").unwrap_err(), ConfigError::EmptySecret);
/// let from_file = "sk_live_51H\n";
/// assert_eq!(Secret::new(from_file).unwrap_err(), ConfigError::SpaceAroundSecret);
/// assert!(Secret::new(from_file.trim_end()).is_ok());
/// ```
#[derive(Clone)]
pub struct Secret {
    key: MacKey,
}

impl Secret {
    /// Creates a secret from its bytes.
    ///
    /// # Errors
    ///
    /// - [`ConfigError::EmptySecret`] if the secret is empty, because anyone can sign with an empty
    ///   secret.
    /// - [`ConfigError::NulSecret`] if the secret consists of NUL bytes. HMAC pads keys with NUL
    ///   bytes, so up to 64 of them are equivalent to the empty secret.
    /// - [`ConfigError::SpaceAroundSecret`] if the secret starts or ends with whitespace, such as
    ///   the line feed at the end of a file.
    /// - [`ConfigError::InvisibleCharacter`] if the secret starts or ends with an invisible
    ///   character, such as a byte order mark.
    /// - [`ConfigError::QuotedSecret`] if the secret is enclosed in quotes, as in a `.env` file.
    ///
    /// Scrupp's keys never have such whitespace, characters or quotes, so no delivery would match.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let secret = secret.as_ref();
        if secret.is_empty() {
            return Err(ConfigError::EmptySecret);
        }
        if secret.iter().all(|byte| *byte == 0) {
            return Err(ConfigError::NulSecret);
        }
        check_ends(first_char(secret), last_char(secret), secret.len())?;
        let key = mac::prepare(secret)?;
        Ok(Self { key })
    }

    pub(crate) fn key(&self) -> &MacKey {
        &self.key
    }
}

/// Checks for whitespace, invisible characters and quotes at the ends of a secret.
fn check_ends(first: Option<char>, last: Option<char>, len: usize) -> Result<(), ConfigError> {
    let mut ends = [first, last].into_iter().flatten();
    if ends.clone().any(char::is_whitespace) {
        return Err(ConfigError::SpaceAroundSecret);
    }
    if let Some(invisible) = ends.find(|end| is_invisible(*end)) {
        return Err(ConfigError::InvisibleCharacter(invisible));
    }
    match (first, last) {
        (Some(open), Some(close)) if len > open.len_utf8() && is_quote(open) && is_quote(close) => {
            Err(ConfigError::QuotedSecret(open))
        }
        _ => Ok(()),
    }
}

/// Returns the first character. Reads only the bytes of this character.
fn first_char(text: &[u8]) -> Option<char> {
    let lengths = 1..=text.len().min(4);
    only_char(lengths.filter_map(|len| text.get(..len)))
}

/// Returns the last character. Reads only the bytes of this character.
fn last_char(text: &[u8]) -> Option<char> {
    let starts = (text.len().saturating_sub(4)..text.len()).rev();
    only_char(starts.filter_map(|start| text.get(start..)))
}

/// Returns the character that one of the byte strings encodes in UTF-8, if any does.
fn only_char<'t>(mut candidates: impl Iterator<Item = &'t [u8]>) -> Option<char> {
    candidates.find_map(|bytes| str::from_utf8(bytes).ok()?.chars().next())
}

/// Returns whether a character is invisible: a control character from U+007F on, a
/// `Default_Ignorable_Code_Point` in the `DerivedCoreProperties.txt` of Unicode, the blank Braille
/// pattern, or an annotation character.
///
/// Control characters below U+0020 are excluded, because a secret that contains them is binary.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns whether a character is an accent that is typed as a quote, or a `Quotation_Mark` in the
/// `PropList.txt` of Unicode.
fn is_quote(character: char) -> bool {
    matches!(
        character,
        '`' | '\u{b4}'
            | '"'
            | '\''
            | '\u{ab}'
            | '\u{bb}'
            | '\u{2018}'..='\u{201f}'
            | '\u{2039}'..='\u{203a}'
            | '\u{2e42}'
            | '\u{300c}'..='\u{300f}'
            | '\u{301d}'..='\u{301f}'
            | '\u{fe41}'..='\u{fe44}'
            | '\u{ff02}'
            | '\u{ff07}'
            | '\u{ff62}'..='\u{ff63}'
    )
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
