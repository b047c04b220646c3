//! Every disk that a crash may leave behind.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::content::{File, Folder, Inode, SECTOR};
use super::disk::State;

/// More images than this are no small script's.
const IMAGES_MAX: usize = 1 << 14;

/// What is left of a state when the power fails, each possibility once, in an
/// order of its own: what a search finds first is the same every time.
pub(super) fn after_power_loss(state: &State) -> Vec<State> {
    let files: Vec<(Inode, Vec<Vec<u8>>)> = state
        .files
        .iter()
        .map(|(inode, file)| (*inode, contents(file)))
        .collect();
    let folders: Vec<(Inode, Vec<BTreeMap<String, Inode>>)> = state
        .folders
        .iter()
        .map(|(inode, folder)| (*inode, names(folder)))
        .collect();
    let choices: Vec<usize> = files
        .iter()
        .map(|(_, options)| options.len())
        .chain(folders.iter().map(|(_, options)| options.len()))
        .collect();
    let count = choices.iter().product::<usize>();
    assert!(
        count <= IMAGES_MAX,
        "{count} images: the script is too large"
    );
    let (mut images, mut seen) = (Vec::new(), HashSet::new());
    for number in 0..count {
        let mut picks = digits(number, &choices);
        let mut pick = |options: usize| picks.next().filter(|pick| *pick < options);
        let mut image = State::settled(BTreeMap::new(), BTreeMap::new());
        for (inode, options) in &files {
            let chosen = pick(options.len()).map(|pick| options[pick].clone());
            let file = File::settled(chosen.unwrap_or_default());
            image.files.insert(*inode, file);
        }
        for (inode, options) in &folders {
            let chosen = pick(options.len()).map(|pick| options[pick].clone());
            let folder = Folder::settled(chosen.unwrap_or_default());
            image.folders.insert(*inode, folder);
        }
        let image = reachable(image);
        if seen.insert(image.clone()) {
            images.push(image);
        }
    }
    images
}

/// A number's digits where each place counts to another bound.
fn digits(mut number: usize, bounds: &[usize]) -> impl Iterator<Item = usize> {
    bounds.iter().map(move |bound| {
        let digit = number % bound;
        number /= bound;
        digit
    })
}

/// What a file may hold.
fn contents(file: &File) -> Vec<Vec<u8>> {
    let mut lengths = file.lengths.clone();
    lengths.insert(file.durable.len());
    let sectors: Vec<(usize, Vec<Vec<u8>>)> = file
        .written
        .iter()
        .map(|(number, written)| {
            let mut options = vec![File::sector(&file.durable, *number)];
            options.extend(written.iter().cloned());
            options.dedup();
            (*number, options)
        })
        .collect();
    let choices: Vec<usize> = sectors.iter().map(|(_, options)| options.len()).collect();
    let mut found = BTreeSet::new();
    for number in 0..choices.iter().product() {
        let mut bytes = file.durable.clone();
        for ((sector, options), pick) in sectors.iter().zip(digits(number, &choices)) {
            let start = sector * SECTOR;
            if bytes.len() < start + SECTOR {
                bytes.resize(start + SECTOR, 0);
            }
            bytes[start..start + SECTOR].copy_from_slice(&options[pick]);
        }
        for length in &lengths {
            let mut cut = bytes.clone();
            cut.resize(*length, 0);
            found.insert(cut);
        }
    }
    found.into_iter().collect()
}

/// What names a folder may have.
fn names(folder: &Folder) -> Vec<BTreeMap<String, Inode>> {
    let mut found = BTreeSet::new();
    for kept in 0..1_u32 << folder.pending.len() {
        let mut names = folder.durable.clone();
        for (place, change) in folder.pending.iter().enumerate() {
            if kept & 1 << place != 0 {
                change.apply(&mut names);
            }
        }
        found.insert(names);
    }
    found.into_iter().collect()
}

/// Without what no name leads to.
fn reachable(mut image: State) -> State {
    let mut seen = BTreeSet::from([0]);
    let mut left = vec![0];
    while let Some(inode) = left.pop() {
        for next in image
            .folders
            .get(&inode)
            .into_iter()
            .flat_map(|f| f.durable.values())
        {
            if seen.insert(*next) {
                left.push(*next);
            }
        }
    }
    image.files.retain(|inode, _| seen.contains(inode));
    image.folders.retain(|inode, _| seen.contains(inode));
    image
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::disk::{Handle, Simulated};
    use super::*;
    use crate::runtime::journal::disk::Disk;

    fn disk() -> (Handle<()>, impl Fn() -> State) {
        let disk = Simulated::new(State::empty(), ());
        let again = std::sync::Arc::clone(&disk);
        (Handle(disk), move || again.moments().pop().unwrap().state)
    }

    #[test]
    fn what_is_synced_with_its_name_survives_alone() {
        let (disk, state) = disk();
        let mut file = disk.create(Path::new("/f")).unwrap();
        file.write(b"hello").unwrap();
        file.sync().unwrap();
        assert_eq!(after_power_loss(&state()).len(), 2, "with its name, or not");
        disk.sync_folder(Path::new("/")).unwrap();
        assert_eq!(after_power_loss(&state()).len(), 1);
    }

    #[test]
    fn unsynced_sectors_survive_in_any_subset_and_the_length_anywhere_between() {
        let (disk, state) = disk();
        let mut file = disk.create(Path::new("/f")).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write(&[7; 2 * SECTOR]).unwrap();
        // Lengths 0, one sector (also the middle), two; of one sector written
        // or not, and of two in all combinations.
        assert_eq!(after_power_loss(&state()).len(), 1 + 2 + 4);
    }

    #[test]
    fn a_move_is_lost_whole_or_not_at_all() {
        let (disk, state) = disk();
        for name in ["/old", "/new"] {
            disk.create(Path::new(name)).unwrap();
        }
        disk.sync_folder(Path::new("/")).unwrap();
        disk.rename(Path::new("/new"), Path::new("/old")).unwrap();
        let images = after_power_loss(&state());
        let mut counts: Vec<usize> = images.iter().map(|image| image.files.len()).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2]);
    }

    #[test]
    fn what_a_failed_sync_left_is_not_saved_by_the_next() {
        let (disk, state) = disk();
        let mut file = disk.create(Path::new("/f")).unwrap();
        disk.sync_folder(Path::new("/")).unwrap();
        file.write(b"hello").unwrap();
        disk.0
            .fail(disk.0.operations(), super::super::disk::Failure::Eio);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        assert_eq!(
            after_power_loss(&state()).len(),
            2,
            "zeros, or what was written"
        );
        file.rewrite(0, b"hello").unwrap();
        file.sync().unwrap();
        assert_eq!(after_power_loss(&state()).len(), 1);
    }
}
