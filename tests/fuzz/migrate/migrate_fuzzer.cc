// Another gateway's files, whatever is in them: our own parser takes the two files that come out, so that no
// name or secret breaks out of its quotes, and what is lost is told in whole lines.

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "config/config.h"
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

template <class T>
T must(base::Result<T> taken, std::string_view text) {
  if (!taken) {
    fmt::print(stderr, "{}\n{}\n", taken.error().message, text);
    __builtin_trap();
  }
  if constexpr (!std::is_void_v<T>) return std::move(*taken);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto files = files_in(base::as_text({data, size}));
  auto setup = migrate::read_setup(files);
  const auto toml = migrate::to_toml(setup);
  const auto config = must(config::parse(toml, "sameroof.toml"), toml);
  const auto secrets = must(
      config::parse_secrets(base::as_text(migrate::to_secrets(setup).view()), "secrets.toml"), "its secrets");
  if (!setup.keys.empty()) must(config::check(config, secrets), toml);  // it is said to need one
  for (const auto& sentence : setup.lost)
    if (sentence.empty() || sentence.find('\n') != std::string::npos) __builtin_trap();
  return 0;
}
