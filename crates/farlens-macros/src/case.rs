//! The spellings that `#[serde(rename_all = "…")]` knows.

/// A way to spell names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    /// The names that serde has for them.
    const NAMES: [(&str, Self); 8] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }

    /// The spelling of a field, which serde takes to be in snake case.
    pub(crate) fn of_field(self, field: &str) -> String {
        match self {
            Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Pascal => {
                field.split('_').map(|word| first(word, char::to_ascii_uppercase)).collect()
            }
            Self::Camel => first(&Self::Pascal.of_field(field), char::to_ascii_lowercase),
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }

    /// The spelling of a variant, which serde takes to be in Pascal case.
    pub(crate) fn of_variant(self, variant: &str) -> String {
        match self {
            Self::Lower => variant.to_ascii_lowercase(),
            Self::Upper => variant.to_ascii_uppercase(),
            Self::Pascal => variant.to_owned(),
            Self::Camel => first(variant, char::to_ascii_lowercase),
            Self::Snake => words(variant, '_'),
            Self::ScreamingSnake => words(variant, '_').to_ascii_uppercase(),
            Self::Kebab => words(variant, '-'),
            Self::ScreamingKebab => words(variant, '-').to_ascii_uppercase(),
        }
    }
}

/// `word` with another first character.
fn first(word: &str, change: fn(&char) -> char) -> String {
    let mut rest = word.chars();
    rest.next().map(|first| change(&first)).into_iter().chain(rest).collect()
}

/// The words of a name in Pascal case, in lower case, with `mark` between them.
fn words(name: &str, mark: char) -> String {
    let mut spelled = String::new();
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_uppercase() {
            spelled.push(mark);
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    spelled
}
