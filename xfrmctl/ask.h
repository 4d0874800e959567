#pragma once
// What the daemons answer, as values.

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "control/client.h"
#include "control/rows.h"

namespace xfrmctl {

/// One call on a socket of its own, given up after ten seconds.
tl::expected<control::Json, control::CallError> ask(const std::string& socket, std::string_view method,
                                                    const control::Json& parameters);

/// Each element of a list; an error of `take` ends it.
base::Result<void> ask_list(const std::string& socket, std::string_view method, const char* member,
                            const std::function<base::Result<void>(const control::Json&)>& take);
/// A list, in however many parts it comes.
template <class Row>
base::Result<std::vector<Row>> ask_rows(const std::string& socket, std::string_view method,
                                        const char* member,
                                        base::Result<Row> (*row_from)(const control::Json&)) {
  std::vector<Row> out;
  const auto done = ask_list(socket, method, member, [&](const control::Json& json) -> base::Result<void> {
    auto row = row_from(json);
    if (!row) return tl::unexpected(row.error());
    out.push_back(std::move(*row));
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return out;
}

/// `run_dir`: the folder of the control sockets.
base::Result<control::Status> ask_ikd_status(const std::string& run_dir);
base::Result<control::Status> ask_l2tpd_status(const std::string& run_dir);
base::Result<std::vector<control::Peer>> ask_peers(const std::string& run_dir);
base::Result<std::vector<control::Session>> ask_sessions(const std::string& run_dir);
base::Result<std::vector<control::Tunnel>> ask_tunnels(const std::string& run_dir);

/// `method`: PeerByNumber or PeerByMark.
tl::expected<control::Peer, control::CallError> ask_peer(const std::string& run_dir, std::string_view method,
                                                         const control::Json& parameters);

/// Another daemon serves L2TP, and nobody misses l2tpd.
bool without_l2tpd(const base::Result<control::Status>& ikd);
/// Nobody comes with IPsec, and nobody misses ikd.
bool without_ikd(const base::Result<control::Status>& l2tpd);

}  // namespace xfrmctl
