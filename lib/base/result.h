#pragma once
// How a function says that it could not: one alias, so that the later move to std::expected is one line.

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace base {

/// A sentence for an operator: what was tried, on what, and why it failed.
struct Error {
  std::string message;
};

template <class T, class E = Error>
using Result = tl::expected<T, E>;

inline tl::unexpected<Error> fail(std::string message) { return tl::unexpected(Error{std::move(message)}); }
/// `what`, then the words for `error_number` (errno or a netlink error, positive).
tl::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace base
