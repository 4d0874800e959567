#pragma once
// Which datagrams l2tpd takes, and which tunnels it may therefore have.

#include <cstdint>

#include "base/address.h"
#include "base/id.h"
#include "config/config.h"

namespace l2tpd {

enum class Entry : std::uint8_t {
  welcome,
  clear_text,  ///< no peer's mark, where that is not allowed
  marked,      ///< a peer's, where only clear text is served
  astray       ///< an address that does not belong to the mark: the ruleset has not seen it
};

class Door {
 public:
  Door(const config::Marks& marks, config::Cleartext cleartext) : marks_(marks), cleartext_(cleartext) {}

  /// `mark`: within our mask; `from` where nftables has put the sender.
  Entry judge(base::Mark mark, const base::Address& from) const;

 private:
  bool is_of(base::Mark mark, const base::Address& from) const;

  config::Marks marks_;
  config::Cleartext cleartext_;
};

}  // namespace l2tpd
