//! Which values others begin, where a key is appended to.
//!
//! A key that holds `[1]` may come to hold `[1,2]`, which a read sees: so it
//! matters that it held `[1]`, but not that it held `[2]`, unless a read sees what
//! begins with that. Of a list the lists that it begins with have numbers already.
//! Of a text they are named here: those that can be made of it, of what is written
//! and what is appended.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use crate::symbols::{SYMBOL_BYTES, Symbol, Symbols};

/// Texts are not taken apart if what is named takes so many times as many bytes as
/// they do, and this many more; in any case not if it takes the most.
const NAMED: Budget = Budget {
    times: 16,
    more: 1 << 20,
    most: 64 << 20,
};

/// Nor if that takes to compare so many bytes.
const COMPARED: Budget = Budget {
    times: 64,
    more: 1 << 20,
    most: 256 << 20,
};

/// How many bytes there may be, for so many that were recorded.
struct Budget {
    times: usize,
    more: usize,
    most: usize,
}

impl Budget {
    fn of(&self, recorded: usize) -> usize {
        let times = recorded.saturating_mul(self.times);
        times.saturating_add(self.more).min(self.most)
    }
}

/// Which values others begin.
#[derive(Debug, Default)]
pub(super) enum Extended {
    /// That is not known.
    #[default]
    Unknown,
    /// Lists do.
    Lists,
    /// Texts do.
    Texts(Texts),
}

/// Which texts others begin.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Each with the longest other that it begins with, the longer ones first of
    /// those that begin alike.
    fronts: Vec<(Symbol, Symbol)>,
    /// What appending to a text leaves.
    appended: FxHashMap<(Symbol, Symbol), Symbol>,
    /// The empty text; nothing is the same.
    empty: Symbol,
}

impl Extended {
    /// Takes all texts with a name apart: what they can be made of are these texts
    /// that are `written`, and those `appended`.
    pub(super) fn texts(symbols: &mut Symbols, written: &[Symbol], appended: &[Symbol]) -> Self {
        let pieces = Pieces::new(symbols, written, appended);
        let texts = pieces.take_apart(symbols);
        texts.map_or(Extended::Unknown, Extended::Texts)
    }

    /// Whether it is known.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Extended::Unknown)
    }

    /// What appending `last` to `state` leaves, if that is known and has a name.
    pub(super) fn append(&self, symbols: &Symbols, state: Symbol, last: Symbol) -> Option<Symbol> {
        let texts = match self {
            Extended::Unknown => return None,
            Extended::Lists => return symbols.pushed(state, last),
            Extended::Texts(texts) => texts,
        };
        let state = match state {
            Symbol::NULL => texts.empty,
            text => text,
        };
        match last == texts.empty {
            true => Some(state),
            false => texts.appended.get(&(state, last)).copied(),
        }
    }

    /// What is of interest up to a moment, by state, is so as long for all that it
    /// begins with. Whether that is known.
    pub(super) fn spread(&self, symbols: &Symbols, lasts: &mut Vec<u32>) -> bool {
        if lasts.is_empty() {
            return self.is_known();
        }
        // What begins a list has a lower number; what begins a text need not.
        if let Extended::Texts(_) = self {
            lasts.resize(lasts.len().max(symbols.len()), 0);
        }
        let mut spread = |(longer, shorter): (Symbol, Symbol)| {
            let last = |symbol: Symbol| symbol.number() as usize;
            let longer = lasts.get(last(longer)).copied().unwrap_or_default();
            if let Some(shorter) = lasts.get_mut(last(shorter)) {
                *shorter = longer.max(*shorter);
            }
        };
        match self {
            Extended::Unknown => return false,
            Extended::Lists => symbols.fronts().for_each(spread),
            Extended::Texts(texts) => texts.fronts.iter().copied().for_each(&mut spread),
        }
        true
    }
}

/// What texts can be made of.
struct Pieces {
    written: FxHashMap<String, Symbol>,
    /// The lengths of these, in bytes.
    written_lengths: BTreeSet<usize>,
    appended: FxHashMap<String, Symbol>,
    appended_lengths: BTreeSet<usize>,
}

/// A way to append: to how many bytes of a text what, so that how many are left.
type Appending = (usize, Symbol, usize);

/// How much may be named and compared.
struct Left {
    named: usize,
    compared: usize,
}

impl Pieces {
    fn new(symbols: &Symbols, written: &[Symbol], appended: &[Symbol]) -> Self {
        let texts = |of: &[Symbol]| -> FxHashMap<String, Symbol> {
            let text = |&symbol: &Symbol| match symbols.value(symbol) {
                Value::Text(text) => Some((text, symbol)),
                _ => None,
            };
            of.iter().filter_map(text).collect()
        };
        let lengths = |of: &FxHashMap<String, Symbol>| of.keys().map(String::len).collect();
        let (written, appended) = (texts(written), texts(appended));
        Pieces {
            written_lengths: lengths(&written),
            appended_lengths: lengths(&appended),
            written,
            appended,
        }
    }

    /// All texts and those that they begin with, if these are not too many. Those
    /// that begin alike come one after the other, so that what they begin with is
    /// found once.
    fn take_apart(&self, symbols: &mut Symbols) -> Option<Texts> {
        // It is the first of all, and can be cut off of each.
        let empty = symbols.name(&Value::Text(String::new()));
        let mut texts = symbols.texts();
        texts.sort_unstable();
        let mut known = Texts {
            empty,
            ..Texts::default()
        };
        // Where the last text can be cut, and what it begins with up to there.
        let mut cuts: Vec<(usize, Symbol)> = Vec::new();
        let mut before = "";
        let recorded = texts.iter().map(|(text, _)| text.len()).sum();
        let mut left = Left {
            named: NAMED.of(recorded),
            compared: COMPARED.of(recorded),
        };
        let mut appending: Vec<Appending> = Vec::new();
        for (text, symbol) in &texts {
            let same = common(before, text);
            while let Some(&(cut, longer)) = cuts.last()
                && cut > same
            {
                cuts.pop();
                known.fronts.push((longer, shorter(&cuts)));
            }
            appending.clear();
            for cut in self.new_cuts(text, &cuts, same, &mut appending, &mut left)? {
                let begin = match cut == text.len() {
                    true => *symbol,
                    false => {
                        left.named = left.named.checked_sub(SYMBOL_BYTES)?;
                        symbols.begin(*symbol, cut)?
                    }
                };
                cuts.push((cut, begin));
            }
            let cut = |at: usize| {
                let place = cuts.binary_search_by_key(&at, |(cut, _)| *cut).ok()?;
                Some(cuts[place].1)
            };
            for &(from, last, until) in &appending {
                if let (Some(front), Some(whole)) = (cut(from), cut(until)) {
                    known.appended.insert((front, last), whole);
                }
            }
            before = text;
        }
        while let Some((_, longer)) = cuts.pop() {
            known.fronts.push((longer, shorter(&cuts)));
        }
        Some(known)
    }

    /// Where else a text can be cut, of which the first `same` bytes are known; at
    /// its end in any case; and what is `appended` there. None if too little is left
    /// to know.
    fn new_cuts(
        &self,
        text: &str,
        known: &[(usize, Symbol)],
        same: usize,
        appended: &mut Vec<Appending>,
        left: &mut Left,
    ) -> Option<BTreeSet<usize>> {
        let mut cuts = BTreeSet::new();
        for &cut in self.written_lengths.range(same + 1..) {
            let Some(begin) = text.get(..cut) else {
                continue;
            };
            left.compared = left.compared.checked_sub(cut)?;
            if self.written.contains_key(begin) {
                cuts.insert(cut);
            }
        }
        // What was known may go on beyond.
        let longest = self.appended_lengths.last().copied().unwrap_or_default();
        let near = known.iter().rev().map(|(cut, _)| *cut);
        let near = near.take_while(|cut| cut + longest > same);
        for cut in near {
            self.extend(text, cut, same, &mut cuts, appended, left)?;
        }
        let mut next = cuts.first().copied();
        while let Some(cut) = next {
            self.extend(text, cut, same, &mut cuts, appended, left)?;
            next = cuts.range(cut + 1..).next().copied();
        }
        if text.len() > same || text.is_empty() {
            cuts.insert(text.len());
        }
        Some(cuts)
    }

    /// Adds where the text can be cut that is cut at `from`, if that is not among
    /// the first `same` bytes; and what is `appended` there.
    fn extend(
        &self,
        text: &str,
        from: usize,
        same: usize,
        cuts: &mut BTreeSet<usize>,
        appended: &mut Vec<Appending>,
        left: &mut Left,
    ) -> Option<()> {
        for &length in &self.appended_lengths {
            // Even to look whether it is too long takes some time.
            left.compared = left.compared.checked_sub(1)?;
            let until = from + length;
            let Some(piece) = text.get(from..until).filter(|_| until > same) else {
                continue;
            };
            left.compared = left.compared.checked_sub(length)?;
            if let Some(&last) = self.appended.get(piece) {
                left.named = left.named.checked_sub(size_of::<Appending>())?;
                cuts.insert(until);
                appended.push((from, last, until));
            }
        }
        Some(())
    }
}

/// What the longest text that can be cut off leaves; nothing is the same as the
/// empty text.
fn shorter(cuts: &[(usize, Symbol)]) -> Symbol {
    cuts.last().map_or(Symbol::NULL, |(_, begin)| *begin)
}

/// How many bytes two texts have in common from their beginning.
fn common(one: &str, other: &str) -> usize {
    let both = one.bytes().zip(other.bytes());
    both.take_while(|(one, other)| one == other).count()
}
