#include "base/event_log.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/text.h"

namespace base {
namespace {

Severity most_verbose_wanted = Severity::info;

/// systemd sets JOURNAL_STREAM to device:inode of the stream it gave us (systemd.exec(5)).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

}  // namespace

void set_log_level(Severity most_verbose) { most_verbose_wanted = most_verbose; }

bool logs(Severity severity) { return severity <= most_verbose_wanted; }

void log(Severity severity, std::string_view sentence, std::initializer_list<LogField> fields) {
  if (!logs(severity)) return;
  static const bool journal = stderr_is_journal();
  if (!journal) {
    std::string line = one_line(sentence) + '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    return;
  }
  std::vector<std::string> entries{fmt::format("MESSAGE={}", one_line(sentence)),
                                   fmt::format("PRIORITY={}", static_cast<int>(severity))};
  for (const auto& field : fields) {
    if (!field.value.empty()) entries.push_back(fmt::format("{}={}", field.name, one_line(field.value)));
  }
  std::vector<iovec> parts;
  for (auto& entry : entries) parts.push_back({.iov_base = entry.data(), .iov_len = entry.size()});
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace base
