//! Whether this machine's own network is gone: then nobody answers, and no host is
//! to blame for it. Hosts that answered before are connected to, to find out; until
//! one can be, nothing is asked for and no try counts.

use std::time::{Duration, Instant};

use crate::net::Reach;
use crate::url::HostKey;

/// An answer, or a connection that was made to find out, tells of the network for
/// so long.
const TELLS_FOR: Duration = Duration::from_millis(250);
/// So many hosts are looked for.
const WITNESSES: usize = 2;
/// The first pause between two looks; while the network is gone it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is known of the network.
#[derive(Default)]
pub struct Network {
    /// The hosts that answered last.
    known: Vec<HostKey>,
    /// When it was last seen to work.
    seen: Option<Instant>,
    state: State,
    is_looking: bool,
    next_look: Option<Instant>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Works,
    /// Somebody gave no answer, and nobody gave one.
    InDoubt,
    Gone {
        since: Instant,
        looks: u32,
    },
}

/// Who is to blame for a try without answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The host, or the way to it.
    Host,
    /// The network.
    Network,
    /// A look must tell.
    InDoubt,
}

/// What became of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is gone.
    Gone,
    /// It is there again.
    Back,
}

impl Network {
    /// A host that answered in an earlier run: where nobody answers from the start,
    /// it is looked for.
    pub fn remember(&mut self, host: HostKey) {
        if self.known.is_empty() {
            self.known.push(host);
        }
    }

    /// A host has answered, whatever it said.
    pub fn answered(&mut self, host: &HostKey, now: Instant) -> Option<News> {
        if self.known.first() != Some(host) {
            self.known.retain(|known| known != host);
            self.known.insert(0, host.clone());
            self.known.truncate(WITNESSES);
        }
        self.works(now)
    }

    fn works(&mut self, now: Instant) -> Option<News> {
        self.seen = Some(now);
        let was_gone = self.is_gone();
        self.state = State::Works;
        was_gone.then_some(News::Back)
    }

    /// A host gave no answer.
    pub fn failed(&mut self, now: Instant) -> Blame {
        match self.state {
            State::Gone { .. } => Blame::Network,
            State::InDoubt => Blame::InDoubt,
            State::Works
                if self.known.is_empty()
                    || self.seen.is_some_and(|seen| now < seen + TELLS_FOR) =>
            {
                Blame::Host
            }
            State::Works => {
                self.state = State::InDoubt;
                Blame::InDoubt
            }
        }
    }

    /// The hosts to connect to now, to find out; each look is ended by
    /// [`Self::looked`].
    pub fn look(&mut self, now: Instant) -> Option<&[HostKey]> {
        let is_due = self.next_look.is_none_or(|next| now >= next);
        if self.state == State::Works || self.is_looking || !is_due {
            return None;
        }
        self.is_looking = true;
        Some(&self.known)
    }

    /// What a look has found.
    pub fn looked(&mut self, found: Reach, now: Instant) -> Option<News> {
        self.is_looking = false;
        self.next_look = Some(now + FIRST_PAUSE);
        // Somebody has answered meanwhile.
        if self.state == State::Works {
            return None;
        }
        // One host alone may have gone silent itself: that is its own outage.
        let is_gone = match found {
            Reach::There => false,
            Reach::NoNetwork => true,
            Reach::Silent => self.known.len() > 1,
        };
        if !is_gone {
            return self.works(now);
        }
        let (since, looks) = match self.state {
            State::Gone { since, looks } => (since, looks + 1),
            _ => (now, 0),
        };
        let pause = FIRST_PAUSE * (1 << looks.min(6));
        self.next_look = Some(now + pause.min(LONGEST_PAUSE));
        self.state = State::Gone { since, looks };
        (looks == 0).then_some(News::Gone)
    }

    /// Whether nothing may be asked for.
    pub fn is_away(&self) -> bool {
        self.state != State::Works
    }

    /// Whether tries without answer wait to be told who is to blame.
    pub fn is_in_doubt(&self) -> bool {
        self.state == State::InDoubt
    }

    /// Whether a look has found it gone.
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone { .. })
    }

    /// Whether it has been gone for longer than this.
    pub fn is_gone_for(&self, time: Duration, now: Instant) -> bool {
        match self.state {
            State::Gone { since, .. } => now.saturating_duration_since(since) > time,
            _ => false,
        }
    }

    /// The host that answered last.
    pub fn known(&self) -> Option<&HostKey> {
        self.known.first()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url::CanonicalUrl;

    fn host(name: &str) -> HostKey {
        let url = CanonicalUrl::parse(&format!("http://{name}/")).unwrap();
        url.host_key()
    }

    #[test]
    fn a_network_that_has_never_worked_is_not_told_from_a_host_that_is_not_there() {
        let mut network = Network::default();
        assert_eq!(network.failed(Instant::now()), Blame::Host);
        assert!(!network.is_away());
    }

    #[test]
    fn while_others_answer_a_silent_host_is_to_blame_itself() {
        let (mut network, now) = (Network::default(), Instant::now());
        assert_eq!(network.answered(&host("a.example"), now), None);
        assert_eq!(network.failed(now + TELLS_FOR / 2), Blame::Host);
        let now = now + TELLS_FOR * 2;
        assert_eq!(network.failed(now), Blame::InDoubt);
        // Somebody answers after all.
        assert_eq!(network.answered(&host("b.example"), now), None);
        assert!(!network.is_away());
    }

    #[test]
    fn it_is_gone_when_the_last_host_that_answered_cannot_be_connected_to() {
        let (mut network, start) = (Network::default(), Instant::now());
        network.answered(&host("a.example"), start);
        let first = start + TELLS_FOR * 2;
        let mut now = first;
        assert_eq!(network.failed(now), Blame::InDoubt);
        assert_eq!(network.look(now), Some(&[host("a.example")][..]));
        assert_eq!(network.look(now), None);
        assert_eq!(network.looked(Reach::NoNetwork, now), Some(News::Gone));
        for _ in 0..100 {
            now += LONGEST_PAUSE;
            assert_eq!(network.failed(now), Blame::Network);
            assert!(network.look(now).is_some());
            assert_eq!(network.looked(Reach::NoNetwork, now), None);
        }
        assert!(network.is_gone_for(LONGEST_PAUSE * 99, now));
        assert!(!network.is_gone_for(LONGEST_PAUSE * 101, now));
        now += LONGEST_PAUSE;
        assert!(network.look(now).is_some());
        assert_eq!(network.looked(Reach::There, now), Some(News::Back));
        assert!(!network.is_away());
        assert_eq!(network.failed(now), Blame::Host);
    }

    #[test]
    fn one_host_that_is_silent_is_to_blame_itself_and_two_are_not() {
        for (hosts, is_gone) in [
            (&["a.example"][..], false),
            (&["a.example", "b.example"], true),
        ] {
            let (mut network, mut now) = (Network::default(), Instant::now());
            for name in hosts {
                network.answered(&host(name), now);
            }
            now += TELLS_FOR * 2;
            assert_eq!(network.failed(now), Blame::InDoubt);
            assert_eq!(network.look(now).unwrap().len(), hosts.len());
            network.looked(Reach::Silent, now);
            assert_eq!((network.is_gone(), network.is_in_doubt()), (is_gone, false));
        }
    }

    #[test]
    fn a_host_that_can_be_connected_to_says_that_the_network_is_there_and_is_not_asked_at_each_failure()
     {
        let (mut network, mut now) = (Network::default(), Instant::now());
        network.remember(host("a.example"));
        assert_eq!(network.failed(now), Blame::InDoubt);
        assert!(network.look(now).is_some());
        assert_eq!(network.looked(Reach::There, now), None);
        assert_eq!(network.failed(now), Blame::Host);
        now += TELLS_FOR * 2;
        assert_eq!(network.failed(now), Blame::InDoubt);
        assert_eq!(network.look(now), None);
        assert!(network.look(now + FIRST_PAUSE).is_some());
    }
}
