#pragma once
// Tells when somebody else has taken away what is kept in table inet sameroof: `nft flush ruleset`, a
// firewall that is restarted, an element deleted by hand.

#include <cstdint>
#include <set>
#include <string>

#include "base/result.h"
#include "netlink/socket.h"
#include "nft/set_members.h"

namespace nft {

class TableWatch {
 public:
  /// For these sets and maps of the table, whatever happens to them but by these authors.
  static base::Result<TableWatch> open(std::set<std::string> sets, std::set<std::uint32_t> authors);

  /// Sets of an administrator's, too, in tables that are not ours: that one is made or loses elements.
  void also(std::set<NftSet> others) { others_ = std::move(others); }

  /// Takes the events that are waiting. True: the table, or elements of those sets, came or went by another's
  /// doing, or events were lost; whoever fills them should look and fill them again.
  bool disturbed();
  int fd() const { return socket_.fd(); }

 private:
  TableWatch(nl::Socket socket, std::set<std::string> sets, std::set<std::uint32_t> authors)
      : socket_(std::move(socket)), sets_(std::move(sets)), authors_(std::move(authors)) {}
  bool concerns_us(const nl::Message& message) const;

  nl::Socket socket_;
  std::set<std::string> sets_;
  std::set<std::uint32_t> authors_;
  std::set<NftSet> others_;
  bool pending_ = false;  ///< a transaction of another's whose end has not been seen yet
};

}  // namespace nft
