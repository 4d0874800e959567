#pragma once
// What real clients say, as values: a scripted Initiator that speaks like one of them. Each field's origin
// is in client_profiles.cc, by the marks of clients.md: what it has from a source ("V") is exact, what it
// has from memory ("M") is varied by the seed, so that nothing comes to rely on it.

#include <string>
#include <vector>

#include "harness/initiator.h"
#include "ike/profile.h"
#include "ike/v1/identification.h"

namespace harness {

/// A phase 1 transform by its numbers (RFC 2409 Appendix A): clients offer what we have no word for, too.
struct IkeLine {
  std::uint16_t cipher, key_bits, hash, group;
  std::uint16_t authentication = 1;  ///< a pre-shared key
};
/// An ESP transform (RFC 2407 §4.4.4, §4.5).
struct EspLine {
  std::uint8_t id;
  std::uint16_t key_bits, authentication;
};

/// Life durations of up to 65535 fit a basic attribute; some write four bytes all the same.
enum class LifeForm : std::uint8_t { shortest, four_bytes };

/// What calls it in Aggressive Mode.
struct GroupName {
  ike::v1::IdType type = ike::v1::IdType::key_id;
  std::string name;
};

struct ClientProfile {
  std::string name;
  ike::Client client = ike::Client::unknown;
  std::vector<Bytes> vendor_ids;  ///< of message 1, in order
  std::vector<IkeLine> ike;
  std::vector<IkeLine> ike_once_more = {};   ///< offered when the others have come to nothing
  std::optional<GroupName> group_name = {};  ///< with one it is Aggressive Mode
  bool message_3_in_clear = false;           ///< of Aggressive Mode
  /// Of phase 1, by number; the life type always comes right before its duration, and stands for both.
  std::vector<std::uint16_t> ike_order;
  std::chrono::seconds ike_life{28800};
  LifeForm ike_life_form = LifeForm::shortest;
  std::vector<EspLine> esp;
  std::vector<std::uint16_t> esp_order;  ///< as ike_order
  std::optional<crypto::Group> pfs = {};
  Offer esp_offer = Offer::one_proposal;
  std::chrono::seconds esp_life{3600};
  std::optional<std::uint32_t> esp_kilobytes = {};
  std::uint8_t id_protocol = 0;  ///< of the phase 1 ID, an IPv4 address
  std::uint16_t id_port = 0;
  std::uint16_t client_port = 1701, server_port = 1701;  ///< of IDci and IDcr, both of UDP
  std::size_t nonce = 20;                                ///< bytes
  std::size_t fragment_above = 0;                        ///< bytes of ISAKMP; 0: it knows no fragments
  bool fragments_look_encrypted = false;
  std::vector<NatD> nat_d{NatD::gateway, NatD::itself};  ///< of message 3, in order
  std::size_t nat_oa = 0;                                ///< its own original address, or that and ours
  bool rekeys_on_4500 = false;       ///< a later Main Mode begins where the first one ended
  bool floats_in_message_3 = false;  ///< to port 4500, before it can know of a NAT
  Contact initial_contact = Contact::none;
  bool dpd = true;  ///< answers R-U-THERE
  Deletes deletes = Deletes::at_hang_up;
  base::Duration quick_mode_after{0};
  std::vector<base::Duration> resend_after;  ///< the last one again and again
};

ClientProfile windows_10(std::uint64_t seed);
ClientProfile apple(std::uint64_t seed);
ClientProfile android_7(std::uint64_t seed);
ClientProfile android_6(std::uint64_t seed);
ClientProfile chromeos(std::uint64_t seed);
ClientProfile network_manager_strongswan(std::uint64_t seed);
ClientProfile network_manager_libreswan(std::uint64_t seed);
ClientProfile mikrotik(std::uint64_t seed);
ClientProfile cisco(std::uint64_t seed);
ClientProfile racoon(std::uint64_t seed);
/// What these say where a group name is set, or a user for XAUTH.
ClientProfile apple_with_a_group(std::uint64_t seed);
ClientProfile android_with_an_identifier(std::uint64_t seed);
ClientProfile chromeos_with_a_tunnel_group(std::uint64_t seed);
ClientProfile chromeos_with_a_user(std::uint64_t seed);
std::vector<ClientProfile> every_client(std::uint64_t seed);

/// The client at `base`, whose address, seed and kind of Diffie-Hellman stay.
InitiatorSettings speaking_like(const ClientProfile& profile, InitiatorSettings base);

}  // namespace harness
