#include "nft/ruleset.h"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "nft_ruleset_text.h"

namespace nft {

namespace {

void define(std::string& text, std::string_view name, std::string_view value) {
  const auto line = fmt::format("\ndefine {} = ", name);
  const auto at = text.find(line);
  if (at == std::string::npos) std::abort();  // the file and this function no longer agree
  const auto from = at + line.size();
  text.replace(from, text.find('\n', from) - from, value);
}

}  // namespace

std::string ruleset(const config::Config& config) {
  std::string text(ruleset_text);
  define(text, "mark_mask", fmt::format("{:#010x}", config.marks.mask));
  define(text, "other_marks", fmt::format("{:#010x}", ~config.marks.mask));
  define(text, "alias_range", config.marks.alias.to_string());
  define(text, "near_range", config.marks.near_ends().to_string());
  define(text, "near_bit", base::Address::v4(config.marks.near_bit()).to_string());
  if (config.l2tp.external_lookup == config::ExternalLookup::conntrack) text += conntrack_text;
  return text;
}

}  // namespace nft
