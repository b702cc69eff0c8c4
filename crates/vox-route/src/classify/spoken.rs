//! The words of a text that its author said, in one pass: without code fences, quoted lines, addresses, tags, and what
//! a client put between tags of its own.

/// One word, in lower case, padded with zeros; longer ones are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) [u64; WORD_BYTES / 8]);

impl Word {
    /// Reads a word of this length from the beginning of a text.
    ///
    /// One bit tells a small letter from its capital, and it is set; what that does to other characters it does to them
    /// in rules and texts alike. The text is read in eights, because bytes put together one by one cost a wait each.
    fn read(text: &[u8], n_bytes: usize) -> Self {
        const SMALL: u64 = 0x2020_2020_2020_2020;
        let eight = |at: usize| text.get(at * 8..at * 8 + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes);
        let whole = match text.len() {
            WORD_BYTES.. => Self(std::array::from_fn(eight)),
            short => {
                let mut padded = [0; WORD_BYTES];
                padded[..short].copy_from_slice(text);
                return Self::read(&padded, n_bytes);
            }
        };
        Self(whole.0.map(|eight| eight | SMALL)).beginning(n_bytes).0
    }

    /// Returns a word of which all but the first letters are zero bits, and one that has exactly these bits set.
    pub(super) fn beginning(self, n_bytes: usize) -> (Self, Self) {
        let mask = |at: usize| match n_bytes.saturating_sub(at * 8) {
            0 => 0,
            bytes @ 1..=7 => (1 << (bytes * 8)) - 1,
            _ => u64::MAX,
        };
        let mask: [u64; WORD_BYTES / 8] = std::array::from_fn(mask);
        (Self(std::array::from_fn(|at| self.0[at] & mask[at])), Self(mask))
    }

    pub(super) fn n_bytes(self) -> usize {
        self.0.iter().map(|eight| 8 - eight.leading_zeros() as usize / 8).sum()
    }
}
/// More than any word of a rule has.
pub(crate) const WORD_BYTES: usize = 24;

/// What is left of a text besides its words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Bytes of its words, with one between two.
    pub(super) n_bytes: usize,
    /// It ends in a question mark.
    pub(super) is_question: bool,
}

/// Calls back for every word said.
///
/// A text whose beginning was cut off inside a fence is recognised by its odd number of fences.
pub(super) fn words(text: &str, is_cut: bool, foreign_tags: &[String], each: impl FnMut(Word)) -> Said {
    let in_code = is_cut && text.lines().filter(|line| is_fence(line.trim_start().as_bytes())).count() % 2 == 1;
    let mut reader = Reader { text: text.as_bytes(), at: 0, in_code, foreign_tags, said: Said::default(), each };
    while reader.at < reader.text.len() {
        reader.line();
    }
    reader.said
}

struct Reader<'a, F> {
    text: &'a [u8],
    at: usize,
    in_code: bool,
    foreign_tags: &'a [String],
    said: Said,
    each: F,
}

/// Which bytes words are made of.
const IS_WORD: [bool; 256] = {
    let mut is_word = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        is_word[byte] = letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'\'' || letter >= 0x80;
        byte += 1;
    }
    is_word
};

fn is_fence(line: &[u8]) -> bool {
    line.starts_with(b"```") || line.starts_with(b"~~~")
}

impl<F: FnMut(Word)> Reader<'_, F> {
    fn line(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
        if is_fence(&self.text[self.at..]) {
            self.in_code = !self.in_code;
            self.skip_line();
        } else if self.in_code || self.text.get(self.at) == Some(&b'>') {
            self.skip_line();
        } else {
            self.spoken_line();
        }
    }

    fn skip_line(&mut self) {
        self.at = memchr::memchr(b'\n', &self.text[self.at..]).map_or(self.text.len(), |length| self.at + length + 1);
    }

    fn spoken_line(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                _ if IS_WORD[usize::from(byte)] => self.word(),
                b'\n' => {
                    self.at += 1;
                    return;
                }
                b'<' => self.tag(),
                b':' if self.text[self.at..].starts_with(b"://") => self.address(),
                b' ' | b'\t' | b'\r' => self.at += 1,
                _ => {
                    self.said.is_question = byte == b'?';
                    self.at += 1;
                }
            }
        }
    }

    fn word(&mut self) {
        let rest = &self.text[self.at..];
        let n_bytes = rest.iter().position(|byte| !IS_WORD[usize::from(*byte)]).unwrap_or(rest.len());
        self.said.n_bytes += n_bytes + usize::from(self.said.n_bytes > 0);
        self.said.is_question = false;
        self.at += n_bytes;
        (self.each)(Word::read(rest, n_bytes));
    }

    fn address(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
    }

    /// Passes over a tag, and over everything up to its end if it is foreign.
    fn tag(&mut self) {
        self.at += 1;
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"_-/".contains(byte))).unwrap_or(rest.len());
        let name = &rest[..length];
        if self.foreign_tags.iter().any(|tag| tag.as_bytes() == name) {
            let end = [b"</", name, b">"].concat();
            self.at += memchr::memmem::find(rest, &end).map_or(rest.len(), |at| at + end.len());
        } else if length > 0 && rest.get(length) == Some(&b'>') {
            self.at += length + 1;
        }
    }
}
