//! Roman numerals. The layout is poor on purpose: the example formats it.

const DIGITS: [(u32, &str); 13] = [
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
    (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
];

/// Writes a number in Roman numerals.
pub fn roman(mut number: u32) -> String {
    let mut text = String::new();
    for (value, digit) in DIGITS {
        while number >= value { text += digit; number -= value; }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers() { assert_eq!([1, 4, 9].map(roman), ["I", "IV", "IX"]); }

    #[test]
    fn years() { assert_eq!([1999, 2026].map(roman), ["MCMXCIX", "MMXXVI"]); }

    #[test]
    fn nothing() { assert_eq!(roman(0), ""); }
}
