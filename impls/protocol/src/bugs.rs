//! Wrong versions: what a catalogue says about each.
//!
//! A wrong version is one guarded expression at the rule it breaks. It is
//! selected by name and absent from a machine unless its configuration asks
//! for it. Each protocol lists its own in one file, as data.

/// One published mistake, as a catalogue entry.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// The name, as `--bug` takes it.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub about: &'static str,
    /// Where it was published, or `own: ` and why it is worth having.
    pub source: &'static str,
    /// The published name of the property it breaks.
    pub property: &'static str,
    /// Which hosts show it: of `atomic`, `staged`, `run`. Empty where nothing
    /// yet shows it; `about` then says why.
    pub hosts: &'static [&'static str],
    /// Arguments to `check` under which it is refuted and the correct machine
    /// is valid.
    pub check_args: &'static [&'static str],
    /// Arguments to `run` under which it is refuted in most seeds and the
    /// correct machine is valid in all.
    pub run_args: &'static [&'static str],
}

/// Declares `Wrong`, the rules of one protocol that its wrong versions break:
/// in the order of the alphabet, each spelled as the catalogue does, but for
/// the dashes.
macro_rules! wrong_versions {
    ($($rule:ident),* $(,)?) => {
        /// A rule that a wrong version breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the catalogue says what each one is")]
        pub enum Wrong {
            $($rule),*
        }

        impl Wrong {
            /// Every one.
            const ALL: &[Wrong] = &[$(Wrong::$rule),*];

            /// The one whose variant a name in the catalogue spells.
            pub fn named(name: &str) -> Option<Wrong> {
                let mut all = Self::ALL.iter().copied();
                all.find(|rule| rule.name() == name)
            }

            /// The variant as the catalogue writes it.
            fn name(self) -> String {
                crate::bugs::dashed(&format!("{self:?}"))
            }
        }
    };
}
pub(crate) use wrong_versions;

/// The entry of that name.
pub(crate) const fn entry(bugs: &[Bug], name: &str) -> Bug {
    let mut place = 0;
    while !is_same(bugs[place].name, name) {
        place += 1;
    }
    bugs[place]
}

/// Comparing them with `==` is not for constants.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}

/// `VoteNotPersisted` as the catalogue writes it: `vote-not-persisted`.
pub(crate) fn dashed(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// A catalogue with the entries that only the one of elections has.
///
/// # Panics
///
/// If that is not in the order of names.
#[cfg(test)]
pub(crate) fn joined(bugs: &[Bug], elections: &[Bug]) -> Vec<Bug> {
    assert!(elections.is_sorted_by(|a, b| a.name < b.name));
    let is_own = |bug: &&Bug| !bugs.iter().any(|other| other.name == bug.name);
    let mut all = bugs.to_vec();
    all.extend(elections.iter().filter(is_own));
    all.sort_by_key(|bug| bug.name);
    all
}

/// Panics unless the catalogue says of each wrong version what it is and what
/// shows it, in the order of names, that those that are shown can be asked for,
/// and that whatever can be asked for is told of.
#[cfg(test)]
pub(crate) fn check_catalogue(bugs: &[Bug], rules: &[String]) {
    let shown = bugs.iter().filter(|bug| !bug.hosts.is_empty());
    for bug in shown {
        assert!(rules.iter().any(|rule| rule == bug.name), "{}", bug.name);
    }
    for rule in rules {
        assert!(bugs.iter().any(|bug| bug.name == rule), "{rule}");
    }
    assert!(bugs.is_sorted_by(|a, b| a.name < b.name));
    for bug in bugs {
        let name = bug.name;
        let is_told = !bug.source.is_empty() && !bug.property.is_empty();
        assert!(is_told, "{name}");
        let known = |host: &&str| ["atomic", "staged", "run"].contains(host);
        assert!(bug.hosts.iter().all(known), "{name}");
        let why_not = bug.about.contains("; not shown: ");
        assert_eq!(bug.hosts.is_empty(), why_not, "{name}");
        let is_run = bug.hosts.contains(&"run");
        assert_eq!(is_run, !bug.run_args.is_empty(), "{name}");
        let is_checked = bug.hosts.iter().any(|host| *host != "run");
        assert_eq!(is_checked, !bug.check_args.is_empty(), "{name}");
    }
}
