#pragma once
// Where the self-test lives: namespaces of its own for processes, mounts and the network, of which nothing is
// left when its first process has ended, and that ends with us, however we end.

#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"

namespace self_test {

/// Where daemons of the sandbox have their configuration and control sockets: in memory, nobody else sees it.
inline constexpr const char* run_directory = "/run/sameroof";

/// What `inside` returns, an exit status, run as that first process. An error where this host gives no such
/// namespaces, or where it was killed.
base::Result<int> in_sandbox(const std::function<int()>& inside);

/// A daemon of the sandbox, killed when this goes. Whatever it says is kept.
class Daemon {
 public:
  static base::Result<Daemon> start(const std::vector<std::string>& words);
  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&&) = delete;
  ~Daemon();

  /// Whether it has ended; it is not waited for.
  bool ended();
  /// Of one that has.
  bool ended_well() const;
  void ask_to_end();
  /// Its last words.
  std::string said_last() const;

 private:
  Daemon(pid_t pid, base::Fd log) : pid_(pid), log_(std::move(log)) {}
  pid_t pid_;  ///< 0: it has ended
  int status_ = -1;
  base::Fd log_;
};

/// Where execvp(3) would find it: "/usr/sbin/ikd"; empty where it is not installed.
std::string path_of(const std::string& program);

}  // namespace self_test
