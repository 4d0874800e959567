#pragma once
// What the subject or a name of a certificate has to look like, with * for any run of characters.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pki {

/// Attributes of a distinguished name in their order: ("CN", "bob"), ("O", "Example").
using Attributes = std::vector<std::pair<std::string, std::string>>;

/// Whether `text` fits `pattern`, whatever the case of ASCII letters. A * stands for any characters, none
/// included, but never for `barrier`.
bool glob(std::string_view pattern, std::string_view text, char barrier = '\0');

/// "CN=*, O=Example": of each kind of attribute it names, a certificate has exactly as many, and each fits.
/// Kinds it does not name are free.
class NamePattern {
 public:
  /// A comma within a value is written as \,.
  static base::Result<NamePattern> parse(std::string_view text);
  bool matches(const Attributes& name) const;

 private:
  Attributes wanted_;
};

/// "*.laptops.example", where * stays within a label; "*@example.com" for e-mail addresses; an IP address.
bool alternative_name_matches(std::string_view pattern, std::string_view name);

}  // namespace pki
