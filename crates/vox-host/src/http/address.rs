//! To whom we talk: which base URLs may be written, and which addresses may be connected to.

use http::Uri;
use http::uri::Scheme;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What this process as a whole may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Only loopback; everything else is refused before its name is resolved.
    pub offline: bool,
}

/// A base URL is not one we would talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Not an absolute `http` or `https` URL.
    #[error("expected an absolute `https://` URL")]
    Form,
    /// It carries a user name or password.
    #[error("a base URL has no user name or password; store the key with `vox secrets set`")]
    UserInfo,
    /// It carries a query or fragment.
    #[error("a base URL has no query and no fragment")]
    Query,
    /// Plain `http` to somewhere it is not permitted.
    #[error("plain `http` is only for loopback, and for private addresses with `local: true`")]
    PlainText,
    /// An address that is never a provider.
    #[error("`{0}` is a link-local, metadata, multicast or unspecified address")]
    Address(IpAddr),
}

/// Checks the form of a provider's base URL. What a name resolves to is checked again at each connect.
///
/// # Errors
/// The URL is not absolute `https` (or permitted `http`), or carries user information, a query or a fragment.
pub fn check_base_url(text: &str, local: bool) -> Result<Uri, InvalidBaseUrl> {
    // `Uri` drops a fragment without a word, so both are looked for in the text.
    if text.contains(['?', '#']) {
        return Err(InvalidBaseUrl::Query);
    }
    let url: Uri = text.parse().map_err(|_| InvalidBaseUrl::Form)?;
    let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else { return Err(InvalidBaseUrl::Form) };
    if authority.as_str().contains('@') {
        return Err(InvalidBaseUrl::UserInfo);
    }
    if authority.host().is_empty() || (authority.as_str() != authority.host() && authority.port_u16().is_none()) {
        return Err(InvalidBaseUrl::Form);
    }
    let literal = literal_address(&url);
    if let Some(address) = literal.filter(|address| reach(*address) == Reach::Never) {
        return Err(InvalidBaseUrl::Address(address));
    }
    if *scheme == Scheme::HTTPS {
        return Ok(url);
    }
    let plain = *scheme == Scheme::HTTP
        && match literal.map(reach) {
            Some(Reach::Loopback) => true,
            Some(Reach::Private) => local,
            Some(Reach::Public | Reach::Never) => false,
            None => local || is_localhost(&url),
        };
    if plain { Ok(url) } else { Err(InvalidBaseUrl::PlainText) }
}

/// Returns the address if the host is written as one.
pub(super) fn literal_address(url: &Uri) -> Option<IpAddr> {
    host(url).parse().ok()
}

/// Returns the host without the brackets of an IPv6 address.
pub(super) fn host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

pub(super) fn is_localhost(url: &Uri) -> bool {
    host(url).eq_ignore_ascii_case("localhost")
}

/// How near an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Loopback,
    /// RFC 1918 and RFC 4193.
    Private,
    Public,
    /// Never a provider: link-local, cloud metadata, multicast, broadcast, unspecified.
    Never,
}

pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| reach_v6(address), reach_v4),
    }
}

/// Returns the IPv4 address inside a mapped (`::ffff:0:0/96`) or translated (`64:ff9b::/96`) one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    address.to_ipv4_mapped().or_else(|| match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    })
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    // 0.0.0.0/8 means this host on some systems; RFC 1122 has it as a source address only.
    if address.octets()[0] == 0 || address.is_link_local() || address.is_multicast() || address.is_broadcast() {
        Reach::Never
    } else if address.is_loopback() {
        Reach::Loopback
    } else if address.is_private() {
        Reach::Private
    } else {
        Reach::Public
    }
}

const EC2_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_unspecified() || address.is_multicast() || address.is_unicast_link_local() || address == EC2_METADATA {
        Reach::Never
    } else if address.is_loopback() {
        Reach::Loopback
    } else if address.is_unique_local() {
        Reach::Private
    } else {
        Reach::Public
    }
}

/// Returns whether a connection of this scheme to this address is permitted.
pub(super) fn is_permitted(address: IpAddr, https: bool, allow_private: bool, policy: AddressPolicy) -> bool {
    match reach(address) {
        Reach::Never => false,
        Reach::Loopback => true,
        Reach::Private => !policy.offline && (https || allow_private),
        Reach::Public => !policy.offline && https,
    }
}

#[cfg(test)]
mod tests;
