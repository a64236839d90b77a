//! The Merkle tree hash of RFC 9162 §2.1.1, computed as leaves come, in
//! memory logarithmic in their number.

use crate::digest::{Algorithm, Digest, Hasher};

/// A tree that grows by appending leaves.
#[derive(Default)]
pub struct MerkleTree {
    /// Roots of full subtrees, largest first, each with its height.
    subtrees: Vec<(u32, Digest)>,
    leaves: u64,
}

impl MerkleTree {
    /// Appends a leaf.
    pub fn add(&mut self, leaf: &[u8]) {
        self.leaves += 1;
        let mut node = (0, hash(0, &[leaf]));
        while let Some((height, left)) = self.subtrees.pop_if(|(height, _)| *height == node.0) {
            node = (height + 1, parent(&left, &node.1));
        }
        self.subtrees.push(node);
    }

    /// The number of leaves.
    pub fn len(&self) -> u64 {
        self.leaves
    }

    /// Whether there are no leaves.
    pub fn is_empty(&self) -> bool {
        self.leaves == 0
    }

    /// The root over all leaves; of none, the hash of nothing.
    pub fn root(&self) -> Digest {
        let mut subtrees = self.subtrees.iter().rev().map(|(_, digest)| digest.clone());
        match subtrees.next() {
            None => Digest::sha256(b""),
            Some(last) => subtrees.fold(last, |right, left| parent(&left, &right)),
        }
    }
}

fn parent(left: &Digest, right: &Digest) -> Digest {
    hash(1, &[left.bytes(), right.bytes()])
}

fn hash(prefix: u8, parts: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(&[prefix]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition of RFC 9162 §2.1.1.
    fn defined(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => Digest::sha256(b""),
            [leaf] => hash(0, &[leaf]),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent(&defined(&leaves[..split]), &defined(&leaves[split..]))
            }
        }
    }

    #[test]
    fn rfc9162_2_1_1_the_running_root_is_the_defined_one() {
        let mut tree = MerkleTree::default();
        let mut leaves = Vec::new();
        for n in 0..70u8 {
            assert_eq!(tree.root(), defined(&leaves), "{n} leaves");
            leaves.push(vec![n; usize::from(n % 5)]);
            tree.add(&leaves[usize::from(n)]);
        }
    }
}
