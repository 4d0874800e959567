#include "xfrmctl/reload.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "xfrmctl/ask.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;

std::string_view colour_of(char sign) {
  switch (sign) {
    case '+': return "\x1b[32m";
    case '-': return "\x1b[31m";
    default: return "\x1b[33m";
  }
}

struct Daemon {
  std::string_view name, interface;

  auto ask(const Options& options, std::string_view method) const {
    return xfrmctl::ask(fmt::format("{}/{}", options.run_dir, name), fmt::format("{}.{}", interface, method),
                        Json::object());
  }
};

/// Both, unless one is named or not wanted on this gateway.
std::vector<Daemon> daemons_to_reload(const Options& options) {
  std::vector<Daemon> out{{"ikd", "sameroof.Ike"}, {"l2tpd", "sameroof.L2tp"}};
  std::erase_if(out, [&](const Daemon& daemon) {
    if (!options.daemon.empty()) return daemon.name != options.daemon;
    return daemon.name == "ikd" ? without_ikd(ask_l2tpd_status(options.run_dir))
                                : without_l2tpd(ask_ikd_status(options.run_dir));
  });
  return out;
}

}  // namespace

std::string changes_text(const std::vector<std::string>& changes, bool colour) {
  if (changes.empty()) return "nothing but secrets may have changed\n";
  std::string out;
  for (const auto& change : changes) {
    const auto line = printable(change);
    out += colour ? fmt::format("{}{}\x1b[0m\n", colour_of(line.front()), line) : line + "\n";
  }
  return out;
}

int run_reload(const Options& options) {
  const auto daemons = daemons_to_reload(options);
  // Neither reads anything again unless both will.
  std::vector<std::string> changes;
  for (const auto& daemon : daemons) {
    const auto checked = daemon.ask(options, "CheckReload");
    if (!checked) return complain(checked.error());
    for (const auto& change : checked->value("changes", Json::array())) {
      if (change.is_string()) changes.push_back(change.get<std::string>());
    }
  }
  fmt::print("{}", changes_text(changes, ::isatty(STDOUT_FILENO) == 1));
  if (options.dry_run) return good;
  for (const auto& daemon : daemons) {
    const auto answer = daemon.ask(options, "Reload");
    if (!answer) return complain(answer.error());
    fmt::print("{}: {}\n", daemon.name, printable(answer->value("changes", "")));
  }
  return good;
}

}  // namespace xfrmctl
