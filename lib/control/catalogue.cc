#include "control/catalogue.h"

#include <algorithm>

#include <fmt/format.h>

namespace control {
namespace {

constexpr std::string_view no_reply = "the L2TP-VPN server did not respond";
constexpr std::string_view not_authenticated = "authentication failed";
constexpr std::string_view unsuccessful = "unsuccessful";

// Windows: 809 it hears nothing, 789 and 788 IPsec came to nothing, 691 the login, 628 the link ended early.
constexpr CatalogueEntry entries[] = {
    // ikd, in the order of a setup.
    {"no_common_ike_proposal", "It offers no IKE algorithms that are configured here.",
     "Compare its offer, above, with ike.proposals; Android up to 11 needs modp1024 there. XAUTH is never "
     "taken: leave the user of IPsec empty on the client.",
     "788", no_reply, unsuccessful},
    {"not_in_aggressive_mode",
     "It uses Aggressive Mode, which takes no group as weak as MODP 1024 and 1536, and none but that of its "
     "first message.",
     "Leave the group name (IPsec identifier) empty on the client for Main Mode, or let it offer MODP 2048.",
     "", no_reply, unsuccessful},
    {"unknown_identity",
     "It uses Aggressive Mode, and its group name is that of no key with aggressive = true.",
     "Correct the group name (IPsec identifier) on the client, or leave it empty for Main Mode.", "",
     no_reply, unsuccessful},
    {"no_third_message", "It asked once and did not go on, or our answer does not reach it.",
     "See whether UDP 500 is let through in both directions, and the gateway's own route to the client.",
     "809", no_reply, unsuccessful},
    {"key_exchange_failed", "Its Diffie-Hellman value is none that can be used, or too many wait already.",
     "Once: try again. If it goes on: see sameroof_ike_key_exchanges_waiting, and update the client.", "789",
     no_reply, unsuccessful},
    {"port_4500_blocked",
     "It is behind a NAT and has to go on at UDP port 4500, and nothing of it arrived there.",
     "Open UDP 4500 to the gateway in every firewall on the way, the client's and its network's included.",
     "809", no_reply, unsuccessful},
    {"no_proof_came", "It agreed on keys and then did not say who it is.",
     "It may have ended by itself, or it refuses our side: see its own log; with certificates, whether ours "
     "bears the name that it dials.",
     "789", no_reply, unsuccessful},
    {"no_psk_for_address", "It wants to use a pre-shared key, and none is configured for its address.",
     "Look at the address ranges of the [[ike.psk]] entries.", "789", no_reply, unsuccessful},
    {"wrong_psk", "Its pre-shared key is another one than ours.",
     "Type the pre-shared key of secrets.toml into the client again; mind spaces at the end.", "789",
     no_reply, unsuccessful},
    {"wrong_psk_for_identity", "Its pre-shared key is not the one that belongs to its group name.",
     "Type the key of that [[ike.psk]] into the client, or correct its group name.", "789", no_reply,
     unsuccessful},
    {"certificate_expired", "Its certificate has expired.",
     "Issue it a new certificate; if it should still be good, compare the clocks.", "789", no_reply,
     unsuccessful},
    {"certificate_not_yet_valid", "Its certificate is not valid yet.",
     "Compare the clocks of the gateway, the authority and the client.", "789", no_reply, unsuccessful},
    {"certificate_revoked", "Its certificate is on the revocation list.",
     "If it was not to be locked out: issue it a new one; a new list is read by xfrmctl reload.", "789",
     no_reply, unsuccessful},
    {"certificate_untrusted", "No authority of ike.trust stands behind its certificate.",
     "Add its authority to ike.trust, or choose another certificate on the client; intermediate certificates "
     "belong on the client.",
     "789", no_reply, unsuccessful},
    {"certificate_unknown_class", "Its certificate is good, and no [[ike.certificate]] matches it.",
     "Compare its subject, above, with the patterns of the [[ike.certificate]] entries.", "789", no_reply,
     unsuccessful},
    {"certificate_refused", "Its certificate or its signature is not accepted.",
     "The event above says why: use, key size, name, or a signature that does not fit.", "789", no_reply,
     unsuccessful},
    {"own_key_unusable", "The gateway cannot sign with its own key.",
     "Check the files of [[ike.own_certificate]] with ikd --check.", "789", no_reply, unsuccessful},
    {"no_mark_left", "No mark is free for another peer, or its address has too many peers.",
     "Wait for the quarantine, or widen marks.mask and marks.alias.", "789", no_reply, unsuccessful},
    {"no_quick_mode", "It proved who it is and then asked for no IPsec SA.",
     "See its own log: as a rule it refuses what it is offered, or waits for XAUTH, which L2TP does without.",
     "789", no_reply, unsuccessful},
    {"no_common_esp_proposal", "It offers no ESP algorithms or mode that are configured here.",
     "Compare its offer, above, with ike.esp_proposals; it must be transport mode.", "788", no_reply,
     unsuccessful},
    {"pfs_group_unknown", "It wants perfect forward secrecy with a group that is not known here.",
     "Turn PFS off on the client, or choose another group there, such as MODP 2048 (14) or ECP 256 (19).",
     "788", no_reply, unsuccessful},
    {"traffic_not_served",
     "It asks IPsec to protect something else than L2TP, or for an address that is not "
     "believed.",
     "The event above says what it asked for: see [[service]] and ike.inner_ids.", "789", no_reply,
     unsuccessful},
    {"quick_mode_unanswered", "Its IPsec SA was agreed on, and it never confirmed it.",
     "Packets get lost between the two: see the MTU of the way, and firewalls that forget UDP 4500 quickly.",
     "809", no_reply, unsuccessful},
    {"kernel_refused", "The kernel refused its SA.",
     "The event above says why: the kernel must have ESP, and the algorithms of ike.esp_proposals.", "789",
     no_reply, unsuccessful},
    {"nft_refused", "nftables took no elements for it into the maps of table inet sameroof.",
     "The event above says why: the ruleset must be loaded (sameroof-nft.service) as it was shipped.", "789",
     no_reply, unsuccessful},
    // Between the two: told by xfrmctl, from what did not happen.
    {"no_l2tp", "IPsec is up, and no L2TP came through it.",
     "ESP or UDP 4500 is blocked for what carries data, or the client's own L2TP did not start: see whether "
     "xfrmctl peers counts bytes.",
     "809", no_reply, unsuccessful},
    // l2tpd.
    {"tunnel_over_limit", "It opens more tunnels than a peer may have, or this server has too many.",
     "The event above says which: a client has one, and opens a new one when it dials again; see xfrmctl "
     "tunnels.",
     "628", no_reply, unsuccessful},
    {"tunnel_unanswered", "Its L2TP tunnel was begun and not finished.",
     "Its packets reach us and ours not it: see the counters of xfrmctl sas, and the client's firewall.",
     "809", no_reply, unsuccessful},
    {"tunnel_not_authorized", "It does not have the tunnel's secret, or wants one where none is configured.",
     "Compare [l2tp] secret in secrets.toml with the client; Windows, Apple and Android can have none.",
     "628", no_reply, unsuccessful},
    {"tunnel_malformed", "It speaks L2TP in a way that is not understood.",
     "The event above says what is wrong: update the client, or report it.", "628", no_reply, unsuccessful},
    {"tunnel_not_in_kernel", "The kernel did not take its tunnel.",
     "Look at l2tpd's log: modules l2tp_ppp and pppol2tp, and the ruleset.", "628", no_reply, unsuccessful},
    {"call_refused", "Its call was refused.", "The event above says why.", "628", no_reply, unsuccessful},
    {"ppp_not_startable", "PPP cannot be started for it.",
     "Look at l2tpd's log: whether pppd is installed, /dev/ppp is there, and this peer has too many links.",
     "628", no_reply, unsuccessful},
    {"ppp_not_negotiated", "The PPP negotiation failed.",
     "Run l2tpd with --verbose to see what the client refuses; as a rule compression or encryption is "
     "required "
     "there (MPPE), which IPsec makes needless.",
     "628", no_reply, unsuccessful},
    {"ppp_not_authenticated", "It did not authenticate itself by a method of ppp.auth.",
     "Allow MS-CHAP v2 on the client, or add what it can to ppp.auth.", "691", not_authenticated,
     unsuccessful},
    {"ppp_peer_silent", "It hung up, or fell silent, before PPP was up.",
     "If it goes on: its user gave up, or packets get lost; try a smaller ppp.path_mtu.", "628", no_reply,
     unsuccessful},
    {"ppp_failed", "pppd ended before PPP was up.", "The event above and pppd's log say why.", "628",
     no_reply, unsuccessful},
    {"no_such_user", "No user of that name is configured.",
     "Add a [[user]] and its password, then xfrmctl reload; or correct the name on the client.", "691",
     not_authenticated, unsuccessful},
    {"wrong_password", "The user's password is wrong.",
     "Type the password into the client again, or set it anew in secrets.toml, then xfrmctl reload.", "691",
     not_authenticated, unsuccessful},
    {"radius_refused", "The RADIUS server refused the login, or did not answer.",
     "See the RADIUS server's log; where it has no entry, its address, its secret and the firewall before "
     "it.",
     "691", not_authenticated, unsuccessful},
    {"radius_address_unusable", "The RADIUS server gave an address that cannot be used.",
     "Correct Framed-IP-Address of this user.", "691", not_authenticated, unsuccessful},
    {"peer_unknown", "Whom its IPsec connection is for could not be asked: ikd does not answer.",
     "See whether ikd runs: xfrmctl status.", "691", not_authenticated, unsuccessful},
    {"bound_to_another_user", "Its IPsec connection is another user's (bind_user).",
     "Log in as the user that the key or certificate is for.", "691", not_authenticated, unsuccessful},
    {"too_many_sessions", "The user has as many sessions as are allowed.",
     "End one (xfrmctl disconnect USER), raise sessions, or say when_full = \"replace\".", "691",
     not_authenticated, unsuccessful},
    {"address_in_use", "The user's own address is in use.",
     "See who has it: xfrmctl sessions; when_full = \"replace\" ends the user's old session.", "691",
     not_authenticated, unsuccessful},
    {"pool_exhausted", "No address is left in the pool.",
     "Widen ppp.pool, then xfrmctl reload; or end sessions that nobody needs.", "691", not_authenticated,
     unsuccessful},
    {"link_not_watched", "nftables took no elements for its PPP link, which nobody would keep from forging.",
     "The event above says why: the ruleset must be loaded (sameroof-nft.service) as it was shipped.", "628",
     no_reply, unsuccessful},
};

}  // namespace

std::span<const CatalogueEntry> catalogue() { return entries; }

const CatalogueEntry* catalogue_entry(std::string_view id) {
  const auto* found = std::ranges::find(entries, id, &CatalogueEntry::id);
  return found == std::end(entries) ? nullptr : found;
}

std::string on_the_client(const CatalogueEntry& entry) {
  std::string out;
  if (!entry.windows.empty()) out += fmt::format("Windows error {}", entry.windows);
  if (!entry.apple.empty())
    out += fmt::format("{}macOS and iOS \"{}\"", out.empty() ? "" : "; ", entry.apple);
  if (!entry.android.empty()) out += fmt::format("{}Android \"{}\"", out.empty() ? "" : "; ", entry.android);
  return out;
}

}  // namespace control
