#pragma once
// `xfrmctl disconnect`: L2TP says goodbye first, IPsec then.

#include "xfrmctl/command.h"

namespace xfrmctl {

int run_disconnect(const Options& options);

}  // namespace xfrmctl
