#include "xfrmctl/status.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "xfrmctl/json_text.h"

namespace xfrmctl {
namespace {

std::string duration(std::uint64_t seconds) {
  if (seconds < 120) return fmt::format("{} seconds", seconds);
  if (seconds < 7200) return fmt::format("{} minutes", seconds / 60);
  if (seconds < 172800) return fmt::format("{} hours", seconds / 3600);
  return fmt::format("{} days", seconds / 86400);
}

}  // namespace

std::string status_line(std::string_view daemon, const base::Result<control::Status>& status) {
  if (!status) return fmt::format("{} does not answer: {}\n", daemon, status.error().message);
  auto line = fmt::format("{} answers: version {}, pid {}, up {}", daemon, status->version, status->pid,
                          duration(status->uptime_seconds));
  for (const auto& [name, value] : status->gauges) line += fmt::format(", {} {}", value, name);
  return line + "\n";
}

std::string status_json(const base::Result<control::Status>& ikd,
                        const base::Result<control::Status>& l2tpd) {
  const auto or_null = [](const auto& status) {
    return status ? control::to_json(*status) : control::Json(nullptr);
  };
  const control::Json out{{"version", 1}, {"ikd", or_null(ikd)}, {"l2tpd", or_null(l2tpd)}};
  return json_text(out);
}

}  // namespace xfrmctl
