//! How a URL stands and how near the way to it is, in 32 bits: enough to tell that
//! another link to it brings nothing new.

use crate::links::Path;

/// How a URL stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the queue, or past it.
    Admitted = 0,
    /// Kept out by a rule that another way to it may not break.
    Excluded = 1,
    /// Kept out by a budget, which another link to it doesn't change.
    Spent = 2,
}

/// The standing with the way: from the top 2 bits of standing, 11 of priority, 15 of
/// depth and 4 of links beyond the scope. The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand(u32);

impl Stand {
    /// By a way.
    pub fn new(standing: Standing, path: &Path) -> Self {
        Self::of(standing, path.priority(), path.depth, path.beyond)
    }

    /// By what is stored of a way.
    pub fn of(standing: Standing, priority: u32, depth: u32, beyond: u32) -> Self {
        let way = priority.min(0x7ff) << 19 | depth.min(0x7fff) << 4 | beyond.min(0xf);
        Self((standing as u32) << 30 | way)
    }

    /// As it is on disk.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From what is on disk.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether a link that stands so may tell something of a URL that stands as
    /// known.
    pub fn is_news_to(self, known: Self) -> bool {
        self.standing() == Standing::Admitted as u32
            && match known.standing() {
                1 => true,
                // A budget keeps out no requisite, which is nearer than a link.
                _ => self.is_nearer_than(known),
            }
    }

    fn standing(self) -> u32 {
        self.0 >> 30
    }

    fn is_nearer_than(self, other: Self) -> bool {
        let fields = |stand: Self| (stand.0 >> 19 & 0x7ff, stand.0 >> 4 & 0x7fff, stand.0 & 0xf);
        let (own, other) = (fields(self), fields(other));
        own.0 < other.0 || own.1 < other.1 || own.2 < other.2
    }
}
