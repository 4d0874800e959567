#pragma once
// Which traffic a Quick Mode may ask for: IDci, what the client says of its own end, and IDcr, what it says
// of ours (RFC 2407 §4.6.2). What the SAs then admit follows from neither: their selectors hold the peer's
// alias, our address and the service.

#include <span>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "ike/service.h"
#include "ike/v1/identification.h"

namespace ike {

/// RFC 1918, RFC 6598 (carriers), RFC 3927 (link-local) and RFC 4193 (unique local).
std::vector<base::Prefix> private_networks();

/// The addresses that a client may call its own.
struct InnerIds {
  bool outer = true;  ///< the one its packets come from
  std::vector<base::Prefix> networks = private_networks();
};

/// Where a NAT stands before us, clients know us by an address that we need not know.
enum class OurAddress : std::uint8_t { seen_by_all, behind_nat };

struct Ends {
  base::Address client;  ///< as its packets bear it
  base::Address ours;
  OurAddress our_address = OurAddress::seen_by_all;
};

/// The service that is asked for, or why it is refused, in words. `services` are those
/// beside L2TP; over IPv6 there is L2TP alone.
base::Result<Service> service_asked(const v1::Identification& idci, const v1::Identification& idcr,
                                    const Ends& ends, const InnerIds& inner,
                                    std::span<const Service> services);

}  // namespace ike
