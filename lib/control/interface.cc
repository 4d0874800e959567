#include "control/interface.h"

#include <algorithm>

#include <fmt/format.h>

namespace control {
namespace {

std::string_view type_name(Kind kind) {
  switch (kind) {
    case Kind::integer: return "int";
    case Kind::string: return "string";
    case Kind::boolean: return "bool";
  }
  return "";
}

std::string commented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    out += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

constexpr Parameter interface_parameter[] = {{"interface", Kind::string}};
constexpr Method service_methods[] = {
    {.name = "GetInfo",
     .comment = "Who serves this socket, and the interfaces it speaks.",
     .in = {},
     .out = "(vendor: string, product: string, version: string, url: string, interfaces: []string)"},
    {.name = "GetInterfaceDescription",
     .comment = "The definition of one of them.",
     .in = interface_parameter,
     .out = "(description: string)"},
};

}  // namespace

constinit const Interface service_interface = {.name = "org.varlink.service",
                                               .comment = "What every varlink service answers.",
                                               .types = {},
                                               .shared_types = {},
                                               .methods = service_methods,
                                               .errors =
                                                   "error InterfaceNotFound (interface: string)\n"
                                                   "error MethodNotFound (method: string)\n"
                                                   "error MethodNotImplemented (method: string)\n"
                                                   "error InvalidParameter (parameter: string)\n"
                                                   "error PermissionDenied ()\n"
                                                   "error ExpectedMore ()\n"};

const Method* Interface::method(std::string_view method_name) const {
  const auto it = std::ranges::find(methods, method_name, &Method::name);
  return it == methods.end() ? nullptr : &*it;
}

std::string describe(const Interface& interface) {
  std::string out = commented(interface.comment) + fmt::format("interface {}\n", interface.name);
  if (!interface.types.empty()) out += fmt::format("\n{}{}", interface.types, interface.shared_types);
  for (const auto& method : interface.methods) {
    std::string in;
    for (const auto& p : method.in) {
      in += fmt::format("{}{}: {}", in.empty() ? "" : ", ", p.name, type_name(p.kind));
    }
    out += "\n" + commented(method.comment);
    if (method.replies == Replies::stream || method.replies == Replies::parts)
      out += "# Call it with \"more\".\n";
    if (method.replies == Replies::pages) out += "# With \"more\" the list comes in parts.\n";
    if (method.access == Access::privileged) out += "# For root only.\n";
    out += fmt::format("method {}({}) -> {}\n", method.name, in, method.out);
  }
  if (!interface.errors.empty()) out += fmt::format("\n{}", interface.errors);
  return out;
}

}  // namespace control
