// Another gateway's files, whatever is in them: the two files that come out are TOML, so that no name or
// secret breaks out of its quotes, and what is lost is told in whole lines.

#include <algorithm>
#include <string>

#include <toml++/toml.h>

#include "migrate/to_toml.h"

namespace {

/// Of "@/etc/ipsec.conf", its lines, "@/etc/ipsec.secrets", and so on.
migrate::Files files_in(std::string_view text) {
  migrate::Files out;
  while (!text.empty()) {
    const auto end = std::min(text.find("\n@"), text.size());
    const auto file = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto line = std::min(file.find('\n'), file.size());
    if (line < 2) continue;
    out.emplace(file.substr(1, line - 1), base::Secret::copy_of(base::as_bytes(file.substr(line))));
  }
  return out;
}

void must_be_toml(std::string_view text) {
  try {
    [[maybe_unused]] const auto table = toml::parse(text);
  } catch (const toml::parse_error&) {
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto files = files_in(base::as_text({data, size}));
  auto setup = migrate::read_setup(files);
  must_be_toml(migrate::to_toml(setup));
  must_be_toml(base::as_text(migrate::to_secrets(setup).view()));
  for (const auto& sentence : setup.lost)
    if (sentence.empty() || sentence.find('\n') != std::string::npos) __builtin_trap();
  return 0;
}
