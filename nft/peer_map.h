#pragma once
// The elements of table inet sameroof (sameroof.nft): which mark is which alias, and whose tunnels are
// whose. Each call is one transaction: all of it happens, or nothing.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/id.h"
#include "netlink/socket.h"

namespace nft {

/// `absent`: there was nothing to change, and nothing has been changed beyond what was there.
enum class Change { made, absent };

/// What the ruleset does with L2TP on port 1701 that came without IPsec.
enum class Cleartext { refused, allowed };

/// Whether data packets on port 1701 must belong to a tunnel that was added (kernel.md §3). `off` is for
/// a daemon that adds none.
enum class Latch { off, on };

/// Packets that met a rule; names and meanings stand in sameroof.nft.
struct Counter {
  std::string name;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// Needs CAP_NET_ADMIN.
class PeerMap {
 public:
  /// Fails with a sentence when the ruleset is not loaded.
  static base::Result<PeerMap> open();
  /// Whether the ruleset still is: anybody may flush it.
  nl::Result<bool> loaded();

  /// `mark` within the mask; the addresses IPv4: `dialled` is the one of ours that the peer sends to. Twice
  /// the same is fine; another alias for a mark, or another address of ours for an alias, is refused.
  nl::Result<void> add_peer(base::Mark mark, const base::Address& alias, const base::Address& dialled);
  nl::Result<Change> remove_peer(base::Mark mark, const base::Address& alias);
  nl::Result<void> flush_peers();

  /// `tunnel` is our id of it (as data packets to us carry it), host order; mark 0 is clear text.
  nl::Result<void> add_tunnel(base::Mark mark, std::uint16_t tunnel);
  nl::Result<Change> remove_tunnel(base::Mark mark, std::uint16_t tunnel);
  nl::Result<void> flush_tunnels();

  /// A PPP interface of ours: what comes out of it must be from `far_end`, IPv4, or from an address that is
  /// routed there, and TCP through it gets a maximum segment size that fits into `mtu`. Twice the same is
  /// fine, a new `mtu` replaces the old, and a new `far_end` the `former` one; all in one transaction.
  nl::Result<void> put_link(const std::string& ifname, const std::optional<base::Address>& far_end,
                            std::uint16_t mtu, const std::optional<base::Address>& former = {});
  nl::Result<Change> remove_link(const std::string& ifname, const std::optional<base::Address>& far_end);
  nl::Result<void> flush_links();

  nl::Result<void> set_cleartext(Cleartext cleartext);
  nl::Result<void> set_latch(Latch latch);

  nl::Result<std::vector<Counter>> counters();

  /// Whose changes these are, to a TableWatch.
  std::uint32_t author() const { return socket_.port(); }

 private:
  struct Element;
  explicit PeerMap(nl::Socket socket) : socket_(std::move(socket)) {}
  /// One outcome for each of `elements`.
  std::vector<nl::Result<void>> commit(const std::vector<Element>& elements, std::string_view what);
  nl::Result<void> apply(const std::vector<Element>& elements, std::string_view what);
  /// Elements to remove may be absent.
  nl::Result<Change> change(std::vector<Element> elements, std::string_view what);
  nl::Result<void> set_port(const char* set, bool present, std::string_view what);

  nl::Socket socket_;
};

}  // namespace nft
