#pragma once
// A varlink interface as a table: what the server checks calls against and describes itself by.

#include <span>
#include <string>
#include <string_view>

namespace control {

enum class Kind { integer, string, boolean };

struct Parameter {
  std::string_view name;
  Kind kind;
};

enum class Access {
  reader,     ///< whoever may open the socket
  privileged  ///< SO_PEERCRED says uid 0
};

enum class Replies {
  one,
  pages,  ///< one, or with "more" as many as it takes
  parts,  ///< as many as it takes; the call needs "more"
  stream  ///< the call needs "more"; replies continue until either side ends it
};

struct Method {
  std::string_view name;
  std::string_view comment;
  std::span<const Parameter> in;  ///< all of them needed
  std::string_view out;           ///< in varlink's notation: "(peers: []Peer)"
  Access access = Access::reader;
  Replies replies = Replies::one;
};

/// The texts are varlink's interface definition language.
struct Interface {
  std::string_view name;  ///< "sameroof.Ike"
  std::string_view comment;
  std::string_view types;         ///< `type` lines
  std::string_view shared_types;  ///< those that another interface has, too
  std::span<const Method> methods;
  std::string_view errors;  ///< `error` lines

  const Method* method(std::string_view method_name) const;
};

/// What GetInterfaceDescription answers.
std::string describe(const Interface& interface);

inline constexpr std::string_view permission_denied = "org.varlink.service.PermissionDenied";

/// org.varlink.service, which every varlink server speaks.
extern const Interface service_interface;

}  // namespace control
