//! The file of weights: lines of hexadecimal digits, so that a change of it can be read.

use super::features::FEATURES;

/// The weights that come with the product; `examples/train` writes them.
pub(crate) const TEXT: &str = include_str!("weights.txt");

/// First line of the file.
const HEAD: &str = "countersign-semantic-weights/v1";
/// Weights in a line.
const ROW: usize = 32;

/// A file that holds no weights.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the weights: expected `countersign-semantic-weights/v1`, then rows of four digits, a space and 32 bytes"
)]
pub struct WeightsError {
    /// The line, from 1.
    pub line: usize,
}

/// Reads a file of weights: rows that are missing are zero.
pub(crate) fn read(text: &str) -> Result<Vec<i8>, WeightsError> {
    let mut weights = vec![0i8; FEATURES.next_multiple_of(ROW)];
    let mut lines = (1..).zip(text.lines());
    if lines.next().is_none_or(|(_, line)| line != HEAD) {
        return Err(WeightsError { line: 1 });
    }
    for (line, content) in lines {
        row(content, &mut weights).ok_or(WeightsError { line })?;
    }
    Ok(weights)
}

fn row(line: &str, weights: &mut [i8]) -> Option<()> {
    let (at, bytes) = line.split_once(' ')?;
    let start = usize::from_str_radix(at, 16).ok()?.checked_mul(ROW)?;
    let row = weights.get_mut(start..start.checked_add(ROW)?)?;
    if bytes.len() != 2 * ROW {
        return None;
    }
    for (at, weight) in row.iter_mut().enumerate() {
        *weight = u8::from_str_radix(bytes.get(2 * at..2 * at + 2)?, 16).ok()?.cast_signed();
    }
    Some(())
}

/// Writes a file of weights.
pub(crate) fn write(weights: &[i8]) -> String {
    let mut out = format!("{HEAD}\n");
    for (at, row) in weights.chunks(ROW).enumerate().filter(|(_, row)| row.iter().any(|w| *w != 0))
    {
        out.push_str(&format!("{at:04x} "));
        let padded = row.iter().copied().chain(std::iter::repeat(0)).take(ROW);
        padded.for_each(|weight| out.push_str(&format!("{:02x}", weight.cast_unsigned())));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut weights = vec![0i8; FEATURES];
        (weights[0], weights[77], weights[FEATURES - 1]) = (-128, 127, -1);
        let read_back = read(&write(&weights)).unwrap();
        assert_eq!(read_back.get(..FEATURES), Some(&weights[..]));
        assert_eq!(write(&read_back), write(&weights));
    }

    #[test]
    fn what_is_no_row_is_named() {
        let fails = |text: &str| read(text).err().map(|error| error.line);
        let zeros = "00".repeat(ROW);
        assert_eq!(fails(""), Some(1));
        for row in
            ["0000", "0000 00", &format!("ffff {zeros}"), &format!("0000 {}\u{e9}", &zeros[2..])]
        {
            assert_eq!(fails(&format!("{HEAD}\n0000 {zeros}\n{row}\n")), Some(3), "{row}");
        }
    }
}
