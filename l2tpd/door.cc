#include "l2tpd/door.h"

#include <bit>

namespace l2tpd {

bool Door::is_of(base::Mark mark, const base::Address& from) const {
  const auto number = (mark.value & marks_.mask) >> std::countr_zero(marks_.mask);
  if (number == 0 || number > marks_.capacity() || marks_.mark_of(number) != mark) return false;
  return !from.is_v4() || from == marks_.alias_of(number);  // over IPv6 peers keep their own
}

Entry Door::judge(base::Mark mark, const base::Address& from) const {
  if (mark.value == 0) {
    if (cleartext_ == config::Cleartext::off) return Entry::clear_text;
    return marks_.alias.contains(from) ? Entry::astray : Entry::welcome;
  }
  if (cleartext_ == config::Cleartext::only) return Entry::marked;
  return is_of(mark, from) ? Entry::welcome : Entry::astray;
}

}  // namespace l2tpd
