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

/// Texts are not taken apart if that takes more bytes.
const BYTES_MAX: usize = 64 << 20;

/// Nor if what is appended has more lengths than these.
const LENGTHS_MAX: usize = 64;

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
        match pieces.written_lengths.len() + pieces.appended_lengths.len() > LENGTHS_MAX {
            true => Extended::Unknown,
            false => pieces
                .take_apart(symbols)
                .map_or(Extended::Unknown, Extended::Texts),
        }
    }

    /// What is seen up to a moment, by state, lasts as long for all that it begins
    /// with. Whether that is known.
    pub(super) fn spread(&self, symbols: &Symbols, lasts: &mut [u32]) -> bool {
        let mut spread = |(longer, shorter): (Symbol, Symbol)| {
            let last = |symbol: Symbol| symbol.number() as usize;
            let longer = lasts.get(last(longer)).copied().unwrap_or_default();
            if let Some(shorter) = lasts.get_mut(last(shorter)) {
                *shorter = longer.max(*shorter);
            }
        };
        match self {
            Extended::Unknown => return false,
            // A list has a higher number than what it begins with.
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
        let mut left = BYTES_MAX;
        for (text, symbol) in &texts {
            let same = common(before, text);
            while let Some(&(cut, longer)) = cuts.last()
                && cut > same
            {
                cuts.pop();
                pairs.push((longer, shorter(&cuts)));
            }
            for cut in self.new_cuts(text, &cuts, same) {
                left = left.checked_sub(cut)?;
                let begin = match cut == text.len() {
                    true => *symbol,
                    false => symbols.name(&Value::Text(text[..cut].to_owned())),
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
    /// its end in any case.
    fn new_cuts(&self, text: &str, known: &[(usize, Symbol)], same: usize) -> BTreeSet<usize> {
        let is_written = |&&cut: &&usize| {
            let begin = text.get(..cut);
            cut > same && begin.is_some_and(|begin| self.written.contains_key(begin))
        };
        let mut cuts: BTreeSet<usize> = self
            .written_lengths
            .iter()
            .filter(is_written)
            .copied()
            .collect();
        let longest = self.appended_lengths.last().copied().unwrap_or_default();
        let extend = |cut: usize, cuts: &mut BTreeSet<usize>| {
            let ends = self.appended_lengths.iter().map(|length| cut + length);
            let is_appended = |&end: &usize| {
                let piece = text.get(cut..end);
                end > same && piece.is_some_and(|piece| self.appended.contains_key(piece))
            };
            cuts.extend(ends.filter(is_appended));
        };
        // What was known may go on beyond.
        let known = known.iter().rev().map(|(cut, _)| *cut);
        let near = known.take_while(|cut| cut + longest > same);
        for cut in near.chain((longest > same).then_some(0)) {
            extend(cut, &mut cuts);
        }
        let mut next = cuts.first().copied();
        while let Some(cut) = next {
            extend(cut, &mut cuts);
            next = cuts.range(cut + 1..).next().copied();
        }
        if text.len() > same || text.is_empty() {
            cuts.insert(text.len());
        }
        cuts
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
