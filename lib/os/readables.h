#pragma once
// Many descriptors with one callback, each of which costs far less than a Source of its own.

#include <cstdint>
#include <functional>

#include "base/fd.h"
#include "os/loop.h"

namespace os {

class Readables {
 public:
  /// `ready` is called with the key of a descriptor that can be read; it may remove this one and any other.
  /// Failures throw std::runtime_error, as a loop's do.
  Readables(Loop& loop, std::function<void(std::uint64_t key)> ready);
  Readables(const Readables&) = delete;
  Readables& operator=(const Readables&) = delete;

  void add(int fd, std::uint64_t key);
  /// Before it is closed. In what was ready already its key may come once more.
  void remove(int fd);

 private:
  void look();

  std::function<void(std::uint64_t)> ready_;
  base::Fd epoll_;
  Source readable_;
};

}  // namespace os
