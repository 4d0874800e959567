#include "os/sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <vector>

#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace os {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t native = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t native = AUDIT_ARCH_RISCV64;
#else
#error "the system call filter does not know this architecture"
#endif
#ifndef SYS_pipe
#define SYS_pipe SYS_pipe2
#endif

/// Everything that a loop over sockets, worker threads and malloc() need. Not among them: whatever takes a
/// path, makes a socket, a process or a thread, or asks about others.
constexpr std::array allowed{
    // Descriptors.
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_fstat,
    // Sockets that are there.
    SYS_accept4, SYS_recvmsg, SYS_recvmmsg, SYS_recvfrom, SYS_sendmsg, SYS_sendmmsg, SYS_sendto,
    SYS_getsockopt, SYS_getsockname, SYS_shutdown,
    // The loop.
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_timerfd_settime, SYS_clock_gettime, SYS_gettimeofday,
    // Threads that are there.
    SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_rseq, SYS_set_robust_list, SYS_exit,
    SYS_exit_group, SYS_restart_syscall, SYS_nanosleep, SYS_clock_nanosleep, SYS_getpid, SYS_gettid,
    SYS_getuid, SYS_geteuid, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack,
    // Memory; mmap and mprotect are looked at more closely.
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_getrandom,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_epoll_pwait2
    SYS_epoll_pwait2,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,  // fstat() of glibc; by path it tells that a file is there, and nothing that is in it
#endif
#ifdef SAMEROOF_SANITIZE
    SYS_pipe, SYS_pipe2,  // how sanitizers find out whether memory can be read
#endif
};
constexpr std::array without_execution{SYS_mmap, SYS_mprotect};

constexpr std::uint32_t argument(unsigned index) {
  // The low half of a little-endian 64-bit number.
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + index * 8;
}

std::vector<sock_filter> program() {
  std::vector<sock_filter> out;
  const auto load = [&](std::uint32_t offset) { out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); };
  const auto skip_unless_equal = [&](std::uint32_t value, std::uint8_t steps) {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, steps));
  };
  const auto end = [&](std::uint32_t action) { out.push_back(BPF_STMT(BPF_RET | BPF_K, action)); };
  constexpr std::uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;

  load(offsetof(seccomp_data, arch));
  out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, native, 1, 0));
  end(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(seccomp_data, nr));
  for (const auto call : allowed) {
    skip_unless_equal(static_cast<std::uint32_t>(call), 1);
    end(SECCOMP_RET_ALLOW);
  }
  for (const auto call : without_execution) {
    skip_unless_equal(static_cast<std::uint32_t>(call), 4);
    load(argument(2));
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    end(refuse);
    end(SECCOMP_RET_ALLOW);
  }
  // For abort().
  skip_unless_equal(SYS_tgkill, 4);
  load(argument(0));
  skip_unless_equal(static_cast<std::uint32_t>(::getpid()), 1);
  end(SECCOMP_RET_ALLOW);
  end(refuse);
  end(refuse);
  return out;
}

base::Result<void> change_user(const Unprivileged& identity) {
  if (::geteuid() != 0) return {};
  if (::setgroups(0, nullptr) != 0 || ::setresgid(identity.group, identity.group, identity.group) != 0 ||
      ::setresuid(identity.user, identity.user, identity.user) != 0)
    return base::fail_errno("cannot give up root", errno);
  return {};
}

/// The change of user took root's, from all threads. Somebody else may have been given some: each thread
/// would have to put them down for itself.
base::Result<void> require_no_capability() {
  __user_cap_header_struct own{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &own, sets.data()) != 0)
    return base::fail_errno("cannot tell which capabilities there are", errno);
  if (std::ranges::any_of(sets, [](const auto& set) { return set.permitted != 0; }))
    return base::fail("there are capabilities that a change of user does not take away: start this as root");
  return {};
}

}  // namespace

base::Result<void> confine(const Unprivileged& identity) {
  if (auto changed = change_user(identity); !changed) return changed;
  if (auto none = require_no_capability(); !none) return none;
  // Only now: a change of user clears it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return base::fail_errno("cannot give up privileges", errno);
  auto filter = program();
  const sock_fprog loaded{.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  // TSYNC: the threads that are there already, too.
  const auto outcome = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &loaded);
  if (outcome > 0) return base::fail("cannot confine every thread");
  if (outcome < 0) return base::fail_errno("cannot confine the system calls", errno);
  return {};
}

}  // namespace os
