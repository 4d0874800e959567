#pragma once
// `--watch`: the same again every few seconds.

#include <chrono>
#include <functional>

namespace xfrmctl {

/// Never returns 0: runs `once` in a process of its own each time, so that nothing adds up, until a signal
/// ends this one or nobody reads any more. On a terminal each time replaces the last; elsewhere they follow
/// one another. What fails once is tried again.
int watch(std::chrono::seconds interval, const std::function<int()>& once);

}  // namespace xfrmctl
