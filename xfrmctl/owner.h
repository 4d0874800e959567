#pragma once
// Whose an SA or policy of the kernel's is: a peer's of ikd, told by its mark and alias, or another IPsec
// user's.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/rows.h"
#include "xfrmctl/kernel.h"

namespace xfrmctl {

enum class Owner {
  peer,
  foreign,
  unknown  ///< ikd did not answer, or a policy belongs to a socket: the kernel does not say whose
};
std::string_view name_of(Owner owner);

struct Owned {
  Owner owner = Owner::unknown;
  const control::Peer* peer = nullptr;
  std::string_view direction = {};  ///< of a peer's: "in", "out"
};

class Owners {
 public:
  /// Without `peers` everything is unknown. They outlive it.
  explicit Owners(const std::vector<control::Peer>* peers);

  Owned of(const KernelSa& sa) const;
  Owned of(const KernelPolicy& policy) const;

 private:
  /// Of several peers behind one IPv6 address, which is the alias of all, that of this mark.
  const control::Peer* at(std::string_view prefix, const std::optional<KernelMark>& mark) const;
  bool asked_ = false;
  std::multimap<std::string_view, const control::Peer*> by_alias_;
};

}  // namespace xfrmctl
