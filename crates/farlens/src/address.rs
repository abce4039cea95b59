//! A host and a port, as written in URLs, tickets and `known_servers`.

use crate::{Code, Error, Result};
use std::{fmt, net::Ipv6Addr, str::FromStr};

/// Where a server listens: a name or an IP address, and a port.
///
/// Written `host:port`, with an IPv6 address in brackets; [`Address::DEFAULT_PORT`] is assumed when
/// the port is missing. Host names are kept in lower case, so equal addresses are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// The port that is meant when none is given.
    pub const DEFAULT_PORT: u16 = 5367;
    /// Bytes of a host name at most.
    const MAX_HOST_BYTES: usize = 253;

    /// The host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never zero.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as a URL has it: with brackets around an IPv6 address.
    pub(crate) fn bracketed_host(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
    fn from_str(text: &str) -> Result<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => split_ipv6(text, rest)?,
            None => split_name(text)?,
        };
        Ok(Self { host, port: parse_port(text, port)? })
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.bracketed_host(), self.port)
    }
}

fn split_ipv6<'a>(text: &str, rest: &'a str) -> Result<(String, &'a str)> {
    let (host, port) = rest.split_once(']').ok_or_else(|| bad(text, "the ] is missing"))?;
    let host: Ipv6Addr =
        host.parse().map_err(|_| bad(text, "there is no IPv6 address in the brackets"))?;
    match port.is_empty() || port.starts_with(':') {
        true => Ok((host.to_string(), port)),
        false => Err(bad(text, "only :port may follow the ]")),
    }
}

fn split_name(text: &str) -> Result<(String, &str)> {
    let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    if port.matches(':').count() > 1 {
        return Err(bad(text, "an IPv6 address stands in brackets, as in [::1]:5367"));
    }
    if host.is_empty() {
        return Err(bad(text, "the host is missing"));
    }
    if host.len() > Address::MAX_HOST_BYTES {
        return Err(bad(text, "the host is longer than 253 bytes"));
    }
    if let Some(odd) = host.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._".contains(*c)) {
        return Err(bad(text, &format!("no host name holds {odd:?}")));
    }
    Ok((host.to_ascii_lowercase(), port))
}

/// The port after its colon, the default one if nothing is there.
fn parse_port(text: &str, port: &str) -> Result<u16> {
    let Some(digits) = port.strip_prefix(':') else { return Ok(Address::DEFAULT_PORT) };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(port) if port != 0 && plain => Ok(port),
        _ => Err(bad(text, "the port is no number from 1 to 65535")),
    }
}

fn bad(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::new(Code::BAD_ADDRESS, format!("{shown:?} is no address: {why}"))
        .with_hint("an address is host:port, as in lab.example:5367 or [2001:db8::12]:5367")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any valid address.
    pub(crate) fn any_address() -> impl Strategy<Value = Address> {
        let name = "[a-z0-9][a-z0-9._-]{0,20}";
        let v6 = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string());
        (prop_oneof![name, v6], 1..=u16::MAX).prop_map(|(host, port)| Address { host, port })
    }

    #[test]
    fn each_form_is_read() {
        for (text, host, port) in [
            ("lab", "lab", 5367),
            ("Lab.Example:80", "lab.example", 80),
            ("10.0.0.5:1", "10.0.0.5", 1),
            ("[::1]", "::1", 5367),
            ("[2001:DB8::0012]:9", "2001:db8::12", 9),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!((address.host(), address.port()), (host, port));
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, part) in [
            ("", "host is missing"),
            (":80", "host is missing"),
            ("a b", "' '"),
            ("bücher", "'ü'"),
            ("h:", "65535"),
            ("h:0", "65535"),
            ("h:+8", "65535"),
            ("h:65536", "65535"),
            ("::1", "brackets"),
            ("[::1", "]"),
            ("[lab]:1", "no IPv6"),
            ("[::1]1", "only :port"),
            ("a/b", "'/'"),
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert_eq!(error.code(), Code::BAD_ADDRESS);
            assert!(error.message().contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_displayed_parses_to_the_same(address in any_address()) {
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
