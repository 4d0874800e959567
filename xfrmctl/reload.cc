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
  const auto socket = options.run_dir + "/l2tpd";
  const auto checked = ask(socket, "sameroof.L2tp.CheckReload", Json::object());
  if (!checked) return complain(checked.error());
  std::vector<std::string> changes;
  for (const auto& change : checked->value("changes", Json::array())) {
    if (change.is_string()) changes.push_back(change.get<std::string>());
  }
  fmt::print("{}", changes_text(changes, ::isatty(STDOUT_FILENO) == 1));
  if (options.dry_run) return good;
  const auto answer = ask(socket, "sameroof.L2tp.Reload", Json::object());
  if (!answer) return complain(answer.error());
  fmt::print("l2tpd: {}\n", printable(answer->value("changes", "")));
  return good;
}

}  // namespace xfrmctl
