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

use crate::symbols::{Symbol, Symbols};

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
    /// Texts do: each with the longest other that it begins with, the longer ones
    /// first of those that begin alike.
    Texts(Vec<(Symbol, Symbol)>),
}

impl Extended {
    /// Takes all texts with a name apart: what they can be made of are these texts
    /// that are `written`, and those `appended`.
    pub(super) fn texts(symbols: &mut Symbols, written: &[Symbol], appended: &[Symbol]) -> Self {
        let pieces = Pieces::new(symbols, written, appended);
        let pairs = pieces.take_apart(symbols);
        pairs.map_or(Extended::Unknown, Extended::Texts)
    }

    /// What is of interest up to a moment, by state, is so as long for all that it
    /// begins with. Whether that is known.
    pub(super) fn spread(&self, symbols: &Symbols, lasts: &mut Vec<u32>) -> bool {
        if lasts.is_empty() {
            return !matches!(self, Extended::Unknown);
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
            Extended::Texts(texts) => texts.iter().copied().for_each(&mut spread),
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
    fn take_apart(&self, symbols: &mut Symbols) -> Option<Vec<(Symbol, Symbol)>> {
        let mut texts = symbols.texts();
        texts.sort_unstable();
        let mut pairs = Vec::new();
        // Where the last text can be cut, and what it begins with up to there.
        let mut cuts: Vec<(usize, Symbol)> = Vec::new();
        let mut before = "";
        let recorded = texts.iter().map(|(text, _)| text.len()).sum();
        let mut left = Left {
            named: NAMED.of(recorded),
            compared: COMPARED.of(recorded),
        };
        for (text, symbol) in &texts {
            let same = common(before, text);
            while let Some(&(cut, longer)) = cuts.last()
                && cut > same
            {
                cuts.pop();
                pairs.push((longer, shorter(&cuts)));
            }
            for cut in self.new_cuts(text, &cuts, same, &mut left)? {
                let begin = match cut == text.len() {
                    true => *symbol,
                    false => {
                        left.named = left.named.checked_sub(cut)?;
                        symbols.name(&Value::Text(text[..cut].to_owned()))
                    }
                };
                cuts.push((cut, begin));
            }
            before = text;
        }
        while let Some((_, longer)) = cuts.pop() {
            pairs.push((longer, shorter(&cuts)));
        }
        Some(pairs)
    }

    /// Where else a text can be cut, of which the first `same` bytes are known; at
    /// its end in any case. None if too little is left to know.
    fn new_cuts(
        &self,
        text: &str,
        known: &[(usize, Symbol)],
        same: usize,
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
        for cut in near.chain((longest > same).then_some(0)) {
            self.extend(text, cut, same, &mut cuts, left)?;
        }
        let mut next = cuts.first().copied();
        while let Some(cut) = next {
            self.extend(text, cut, same, &mut cuts, left)?;
            next = cuts.range(cut + 1..).next().copied();
        }
        if text.len() > same || text.is_empty() {
            cuts.insert(text.len());
        }
        Some(cuts)
    }

    /// Adds where the text can be cut that is cut at `from`, if that is not among
    /// the first `same` bytes.
    fn extend(
        &self,
        text: &str,
        from: usize,
        same: usize,
        cuts: &mut BTreeSet<usize>,
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
            if self.appended.contains_key(piece) {
                cuts.insert(until);
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
