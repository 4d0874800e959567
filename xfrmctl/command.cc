#include "xfrmctl/command.h"

#include <cstdio>

#include <fmt/format.h>

#include "base/text.h"
#include "control/interface.h"

namespace xfrmctl {

int complain(std::string_view why, int status) {
  fmt::print(stderr, "xfrmctl: {}\n", base::one_line(why));
  return status;
}

int complain(const control::CallError& why) {
  if (why.name == control::permission_denied) return complain("only root may do that", forbidden);
  return complain(why.message, no_answer);
}

}  // namespace xfrmctl
