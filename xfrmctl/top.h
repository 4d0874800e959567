#pragma once
// `xfrmctl top`: who moves how much now.

#include <map>
#include <string>
#include <vector>

#include "xfrmctl/command.h"
#include "xfrmctl/peers.h"

namespace xfrmctl {

enum class TopOrder { rate, age, bytes };

struct TopRow {
  PeerRow row;
  double in_per_second = 0, out_per_second = 0;  ///< bytes, since the look before
};

/// Compares what there is with what there was.
class Top {
 public:
  /// `seconds`: since the last call; the first one knows no rates.
  std::vector<TopRow> look(std::vector<PeerRow> rows, double seconds, TopOrder order);

 private:
  struct Seen {
    std::string alias;  ///< another peer may have the number
    std::uint64_t in = 0, out = 0;
  };
  std::map<std::uint32_t, Seen> before_;
};

/// Two lines of sums, and as many of the rows as fit into `lines`; `columns`: the terminal's width.
std::string top_screen(const std::vector<TopRow>& rows, std::size_t lines, std::size_t columns);

int run_top(const Options& options);

}  // namespace xfrmctl
