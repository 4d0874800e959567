#pragma once
// What every command gets, and what it may end with.

#include <string>
#include <string_view>

#include "control/client.h"

namespace xfrmctl {

enum Exit {
  good = 0,
  no_answer = 1,  ///< of somebody who was asked
  usage = 2,
  forbidden = 3,
  no_match = 4,  ///< no peer, user or attempt is called so
  doubts = 5,    ///< of the doctor's: warnings only; what import printed is not complete
  broken = 6     ///< the doctor found an error
};

struct Options {
  std::string run_dir = "/run/sameroof";
  bool json = false;
  unsigned watch = 0;                                  ///< seconds; 0: once
  std::string config = "/etc/sameroof/sameroof.toml";  ///< of doctor
  std::string root;                                    ///< of import: what stands before /etc
  bool print_secrets = false;                          ///< of import
  std::string subject;                                 ///< of disconnect and explain
  bool openmetrics = false;
  bool dry_run = false;
  std::string daemon;          ///< to reload; empty: both
  std::string order = "rate";  ///< of top
  bool self_test = false;      ///< of doctor
  bool user = false;           ///< the subject is a user, even where it is a number
};

/// A line on standard error; returns `status`.
int complain(std::string_view why, int status);
/// The same for a call that failed.
int complain(const control::CallError& why);

}  // namespace xfrmctl
