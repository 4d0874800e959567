#pragma once
// SAs and policies as the kernel lists them, other IPsec users' included, and never their keys.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

struct nlmsghdr;

namespace xfrmctl {

struct KernelMark {
  std::uint32_t value = 0, mask = 0;
  bool operator==(const KernelMark&) const = default;
};

struct KernelSelector {
  std::string source, destination;  ///< "203.0.113.1/32"
  std::uint8_t protocol = 0;        ///< 0: any
  std::optional<std::uint16_t> source_port, destination_port;
};

struct KernelAlgorithm {
  std::string name;         ///< the kernel's: "cbc(aes)"
  unsigned key_bits = 0;    ///< with the salt, where the key has one
  unsigned check_bits = 0;  ///< of the integrity check value; 0 for a cipher without
};

/// None of a limit is unlimited.
struct KernelSa {
  std::string source, destination;
  std::string protocol;  ///< "esp", "ah", "comp"
  std::uint32_t spi = 0, reqid = 0;
  std::string mode;  ///< "transport", "tunnel", "beet"
  std::optional<std::uint16_t> encap_source_port, encap_destination_port;
  std::optional<KernelMark> mark, output_mark;
  std::optional<std::uint32_t> if_id;
  KernelSelector selector;
  std::optional<KernelAlgorithm> cipher, digest, aead;
  std::uint32_t replay_window = 0;
  std::uint64_t bytes = 0, packets = 0;
  std::uint64_t added = 0, used = 0;  ///< Unix time; `used` is 0 before the first packet
  std::optional<std::uint64_t> soft_seconds, hard_seconds, soft_bytes, hard_bytes;
  std::uint64_t outside_window = 0, replayed = 0, integrity_failed = 0;
  std::uint64_t newest = 0;  ///< the greatest sequence number of what came in
};

struct KernelTemplate {
  std::string protocol, mode;
  std::string source, destination;
  std::uint32_t spi = 0, reqid = 0;
  bool optional = false;
};

struct KernelPolicy {
  std::string direction;  ///< "in", "out", "forward"
  bool socket = false;    ///< of one socket alone
  std::string action;     ///< "allow", "block"
  std::uint32_t priority = 0, index = 0;
  std::optional<KernelMark> mark;
  std::optional<std::uint32_t> if_id;
  KernelSelector selector;
  std::vector<KernelTemplate> templates;
};

/// Why the kernel was not asked or did not answer; `forbidden`: for want of CAP_NET_ADMIN.
struct KernelRefusal {
  std::string message;
  bool forbidden = false;
};
template <class T>
using FromKernel = tl::expected<std::vector<T>, KernelRefusal>;

FromKernel<KernelSa> read_sas();
FromKernel<KernelPolicy> read_policies();

/// One message of a listing; its keys are wiped in place before anything reads it. None for what is no SA
/// or policy.
std::optional<KernelSa> sa_from(nlmsghdr& message);
std::optional<KernelPolicy> policy_from(nlmsghdr& message);

}  // namespace xfrmctl
