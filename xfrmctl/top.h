#pragma once
// `xfrmctl top`: who moves how much now.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "xfrmctl/command.h"
#include "xfrmctl/peers.h"

namespace xfrmctl {

enum class TopOrder { rate, age, bytes, loss };

struct TopRow {
  PeerRow row;
  double in_per_second = 0, out_per_second = 0;  ///< bytes, since the look before
  /// Which part of what the peer has sent since then did not arrive; of a peer that is seen for the first
  /// time, of all that its SAs have seen. None where nothing came.
  std::optional<double> loss = {};
};

/// Compares what there is with what there was.
class Top {
 public:
  /// What a peer's SAs have carried.
  struct Moved {
    std::uint64_t in = 0, out = 0;           ///< bytes
    std::uint64_t packets_in = 0, lost = 0;  ///< from the peer
  };
  /// `seconds`: since the last call; the first one knows no rates.
  std::vector<TopRow> look(std::vector<PeerRow> rows, double seconds, TopOrder order);

 private:
  struct Seen {
    std::string alias;  ///< another peer may have the number
    Moved moved;
  };
  std::map<std::uint32_t, Seen> before_;
};

/// Two lines of sums, and as many of the rows as fit into `lines`; `columns`: the terminal's width.
std::string top_screen(const std::vector<TopRow>& rows, std::size_t lines, std::size_t columns);

int run_top(const Options& options);

}  // namespace xfrmctl
