//! Groups: which user agents a set of rules is for (RFC 9309 §2.2.1).

use std::time::Duration;

use super::rule::Rule;

/// User agents, and what they are asked to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) runs: Vec<Run>,
    pub(super) rules: Vec<Rule>,
}

/// User agents in a row up to a Crawl-delay. The delay is no rule and so ends no group (§2.2.4),
/// yet in `User-agent: *`, `Crawl-delay: 30`, `User-agent: other` it is meant for `*` alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    agents: Vec<Agent>,
    pub(super) crawl_delay: Option<Duration>,
    pub(super) ended: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Agent {
    Any,
    /// A product token in lower case, not empty.
    Token(String),
}

impl Group {
    pub(super) fn name(&mut self, agent: Option<Agent>) {
        if self.runs.last().is_none_or(|run| run.ended) {
            self.runs.push(Run::default());
        }
        if let Some(run) = self.runs.last_mut() {
            run.agents.extend(agent);
        }
    }

    /// How specifically the group names `agent` (a token in lower case): the length of the name,
    /// 0 for `*`; `None` if it doesn't.
    pub(super) fn fit(&self, agent: &str) -> Option<usize> {
        self.runs.iter().filter_map(|run| run.fit(agent)).max()
    }
}

impl Run {
    pub(super) fn fit(&self, agent: &str) -> Option<usize> {
        self.agents.iter().filter_map(|a| a.fit(agent)).max()
    }
}

impl Agent {
    pub(super) fn parse(value: &[u8]) -> Option<Agent> {
        match value {
            [b'*'] => Some(Agent::Any),
            [b'*', next, ..] if next.is_ascii_whitespace() => Some(Agent::Any),
            _ => Some(Agent::Token(product_token(value))).filter(|agent| match agent {
                Agent::Any => true,
                Agent::Token(token) => !token.is_empty(),
            }),
        }
    }

    pub(super) fn fit(&self, agent: &str) -> Option<usize> {
        match self {
            Agent::Any => Some(0),
            Agent::Token(token) => {
                let rest = agent.strip_prefix(token.as_str())?;
                (rest.is_empty() || rest.starts_with('-')).then_some(token.len())
            }
        }
    }
}

/// The token that a User-agent value starts with, in lower case. RFC 9309 §2.2.1 has letters, `_`
/// and `-`; digits are kept too since crawlers in use have them.
pub(super) fn product_token(value: &[u8]) -> String {
    value
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        .map(|b| char::from(b.to_ascii_lowercase()))
        .collect()
}
