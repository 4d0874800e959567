#include "xfrmctl/json_text.h"

#include <nlohmann/json.hpp>

namespace xfrmctl {

using Json = nlohmann::json;

std::string json_text(const Json& document) {
  return document.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string json_line(const Json& document) {
  return document.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace xfrmctl
