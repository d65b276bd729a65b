//! What is left when the power goes, when a sync fails, and when bits rot.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::disk::SimDisk;
use crate::faults::Tally;
use crate::files::{Inode, Node, State, Write, apply};
use crate::rng::Rng;

/// What a disk writes as one.
const SECTOR: usize = 512;

/// Carries out a write.
pub(crate) fn write(bytes: &mut Vec<u8>, change: &Write) {
    match change {
        Write::At(at, new) => {
            if bytes.len() < at + new.len() {
                bytes.resize(at + new.len(), 0);
            }
            bytes[*at..at + new.len()].copy_from_slice(new);
        }
        Write::Cut(len) => bytes.truncate(*len),
    }
}

/// Some sectors of a write, in any order: the file may have its new length and not its content.
fn tear(bytes: &mut Vec<u8>, at: usize, new: &[u8], rng: &mut Rng) {
    let ordered = rng.chance(50);
    let mut place = at;
    while place < at + new.len() {
        let end = ((place / SECTOR + 1) * SECTOR).min(at + new.len());
        if rng.chance(60) {
            write(bytes, &Write::At(place, new[place - at..end - at].to_vec()));
        } else if ordered {
            // Not even a whole sector: what a process that was killed in the middle of a write leaves.
            let part = rng.below((end - place) as u64) as usize;
            write(bytes, &Write::At(place, new[place - at..place - at + part].to_vec()));
            return;
        }
        place = end;
    }
}

/// The kernel may have dropped what it could not write, and will not try again, though it still shows it.
pub(crate) fn failed_sync(file: &mut Inode, rng: &mut Rng) {
    for pending in std::mem::take(&mut file.pending) {
        if rng.chance(50) {
            write(&mut file.durable, &pending);
        }
    }
}

fn settle(file: &mut Inode, rng: &mut Rng, tally: &mut Tally) {
    let pending = std::mem::take(&mut file.pending);
    let mode = rng.below(5);
    let mut whole = true;
    for change in &pending {
        let kept = match (mode, change) {
            (0, _) => false,
            (1, _) => true,
            (2.., Write::At(at, new)) if rng.chance(75) => {
                tear(&mut file.durable, *at, new, rng);
                tally.torn += 1;
                whole = false;
                continue;
            }
            _ => rng.chance(50),
        };
        if kept {
            tally.reordered += u64::from(!whole);
            write(&mut file.durable, change);
        } else {
            tally.lost += 1;
            whole = false;
        }
    }
    // A drive that lost its place writes once more, behind the end.
    if let Some(Write::At(_, new)) = pending.last()
        && rng.chance(5)
    {
        let end = file.durable.len();
        write(&mut file.durable, &Write::At(end, new.clone()));
        tally.repeated += 1;
    }
    file.cached = file.durable.clone();
}

impl SimDisk {
    /// The power goes, and comes back.
    pub(crate) fn crash(&self) {
        self.with(|state| {
            let State { inodes, folders, rng, tally, .. } = state;
            tally.crashes += 1;
            inodes.values_mut().for_each(|file| settle(file, rng, tally));
            for folder in folders.values_mut() {
                let mode = rng.below(3);
                for change in std::mem::take(&mut folder.pending) {
                    if mode == 1 || (mode == 2 && rng.chance(50)) {
                        apply(&mut folder.durable, &change);
                    } else {
                        tally.names_lost += 1;
                    }
                }
                folder.cached = folder.durable.clone();
            }
            drop_unreachable(state);
            state.dead = false;
            state.plan.crash_at = None;
            state.plan.crash_in_log = None;
        });
    }

    /// A process ends and the machine goes on: everything stays, synced or not.
    pub(crate) fn kill(&self) {
        self.with(|state| {
            state.dead = false;
            state.plan.crash_at = None;
            state.plan.crash_in_log = None;
        });
    }

    /// One bit of one file changes. Gives the file, if there is any with content.
    pub(crate) fn rot(&self) -> Option<PathBuf> {
        self.with(|state| {
            let files = files(state)
                .into_iter()
                .filter(|(_, inode)| state.inodes.get(inode).is_some_and(|file| !file.cached.is_empty()));
            let files: Vec<(PathBuf, u64)> = files.collect();
            let State { inodes, rng, tally, .. } = state;
            let (path, inode) = rng.pick(&files)?.clone();
            let file = inodes.get_mut(&inode)?;
            let bit = rng.below(file.cached.len() as u64 * 8) as usize;
            file.cached[bit / 8] ^= 1 << (bit % 8);
            file.durable = file.cached.clone();
            file.pending.clear();
            tally.rotted += 1;
            Some(path)
        })
    }

    /// Files in which, durable or not, a text can be read.
    pub(crate) fn files_with(&self, text: &[u8]) -> Vec<PathBuf> {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        self.with(|state| {
            let files = files(state).into_iter();
            let found = files.filter(|(_, inode)| {
                state.inodes.get(inode).is_some_and(|file| has(&file.cached) || has(&file.durable))
            });
            found.map(|(path, _)| path).collect()
        })
    }
}

/// All files, by name.
fn files(state: &State) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for (path, folder) in &state.folders {
        for (name, node) in &folder.cached {
            if let Node::File(inode) = node {
                found.push((path.join(name), *inode));
            }
        }
    }
    found
}

/// A folder whose name is gone is gone with everything in it.
fn drop_unreachable(state: &mut State) {
    let mut reachable: BTreeSet<PathBuf> = BTreeSet::new();
    // Sorted, so a folder comes after the one it is in; the first is the root.
    for (place, path) in state.folders.keys().enumerate() {
        let parent = path.parent().filter(|parent| reachable.contains(*parent));
        let named = parent.zip(path.file_name()).is_some_and(|(parent, name)| {
            state.folders.get(parent).is_some_and(|parent| parent.cached.contains_key(&*name.to_string_lossy()))
        });
        if place == 0 || named {
            reachable.insert(path.clone());
        }
    }
    state.folders.retain(|path, _| reachable.contains(path));
    let named: BTreeSet<u64> = files(state).into_iter().map(|(_, inode)| inode).collect();
    state.inodes.retain(|inode, _| named.contains(inode));
}
