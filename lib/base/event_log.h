#pragma once
// The log: one sentence an event, with fields for those who filter (PEER=, MARK=, IKE_SA=, USER=).
// Goes to the journal when that is where standard error leads, else to standard error as text.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace base {

/// The syslog priorities this project uses (sd-daemon(3)).
enum class Severity : std::uint8_t { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

/// A journal field: upper-case letters, digits and underscores; never a key or a password.
struct LogField {
  std::string_view name;
  std::string value;
};

/// Debug sentences are dropped unless asked for. Call once, at start-up.
void set_log_level(Severity most_verbose);

/// Whether sentences of this severity are printed.
bool logs(Severity severity);

/// `sentence` is printed as one line: control characters in it are shown as '?'.
void log(Severity severity, std::string_view sentence, std::initializer_list<LogField> fields = {});

}  // namespace base
