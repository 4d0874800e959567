#pragma once
// What these formats have in common: lines, words, numbers with units, names of algorithms.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/old_setup.h"

namespace migrate {

std::string_view text_of(const base::Secret& content);
/// UTF-8, as TOML wants all of its text.
bool is_text(base::ByteView bytes);
/// As a comment may hold it: what is no text, or would end the line, is "?", and what is too long "…".
std::string in_comment(std::string text);
std::string_view trim(std::string_view text);
std::vector<std::string_view> lines_of(std::string_view text);
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

/// A word as pppd and ipsec.secrets quote it: "…" or '…', with a backslash before a character outside of
/// single quotes. Takes it off `rest`; none at the end of the line, or at a comment.
std::optional<base::Secret> next_word(std::string_view& rest);

/// An IPv4 address of a host, and none of those that stand for peers.
std::optional<base::Address> address_of(std::string_view text);

/// The files that an `include` names, by a pattern of the shell's (glob(7)). `from`: the file that says so.
std::vector<std::string> included(const Files& files, std::string_view from, std::string_view pattern);

/// "8h", "3600s", "90m", "1d", "3600".
std::optional<std::int64_t> seconds_of(std::string_view text);
std::optional<std::int64_t> number_of(std::string_view text);
bool is_yes(std::string_view text);

/// "aes256-sha2;modp2048" and the like in our words; none where ikd has no such proposal.
std::optional<std::string> ike_proposal(std::string_view text);
std::optional<std::string> esp_proposal(std::string_view text);
/// A list of such proposals into `out`; those that ikd does not know are lost.
void add_proposals(std::string_view list, std::string_view where, bool esp, OldSetup& out);

/// Keeps a value within what our configuration takes; said to be lost where that changes it.
std::int64_t within(std::int64_t value, std::int64_t least, std::int64_t most, std::string_view what,
                    OldSetup& out);

/// A pre-shared key as ipsec.secrets and swanctl.conf write it: text, or 0x and 0s with bytes. What cannot
/// be a text of TOML is lost.
void add_key(base::ByteView secret, std::optional<base::Prefix> peer, std::string_view where, OldSetup& out);
void add_listen(std::string_view address, std::vector<base::Address>& list, OldSetup& out);

}  // namespace migrate
