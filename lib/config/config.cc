#include "config/config.h"

#include <algorithm>
#include <bit>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include "base/fd.h"

namespace config {
namespace {

constexpr std::size_t largest_file = 16 * 1024 * 1024;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

struct OpenFile {
  base::Fd fd;
  struct stat status {};
};

base::Result<OpenFile> open_file(const std::string& path) {
  OpenFile out;
  // A FIFO would wait for somebody who writes.
  out.fd = base::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!out.fd) return base::fail_errno(fmt::format("cannot open {}", path), errno);
  if (::fstat(out.fd.get(), &out.status) < 0)
    return base::fail_errno(fmt::format("cannot stat {}", path), errno);
  if (!S_ISREG(out.status.st_mode)) return base::fail(fmt::format("{} is not a regular file", path));
  return out;
}

/// A buffer of fixed size from the start: growing would leave unwiped copies of secrets behind.
base::Result<base::Secret> read_all(const OpenFile& file, const std::string& path) {
  const auto size = static_cast<std::size_t>(file.status.st_size);
  if (size > largest_file) return base::fail(fmt::format("{} is larger than 16 MiB", path));
  auto out = base::Secret::of_size(size);
  std::size_t have = 0;
  while (have < size) {
    const auto n = ::read(file.fd.get(), out.writable().data() + have, size - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(fmt::format("cannot read {}", path), errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.shorten(have);
  return out;
}

base::Result<void> check_users(const Config& config, const Secrets& secrets) {
  for (const auto& user : config.users) {
    if (secrets.user.contains(user.name)) continue;
    const auto why =
        fmt::format("\"{}\" has no secret: the secrets file has no such key under [user]", user.name);
    return tl::unexpected(complaint(config, user.line, "user", why));
  }
  return {};
}

base::Result<void> check_radius(const Config& config, const Secrets& secrets) {
  const auto& radius = config.radius;
  for (const auto* list : {&radius.servers, &radius.accounting}) {
    for (const auto& server : *list) {
      const auto address = server.address.to_string();
      if (secrets.radius.contains(address)) continue;
      const auto why =
          fmt::format("{} has no secret: the secrets file has no such key under [radius]", address);
      return tl::unexpected(complaint(config, radius.line, "radius", why));
    }
  }
  return {};
}

}  // namespace

std::uint32_t Marks::capacity() const {
  const std::uint64_t marks = std::uint64_t{1} << std::popcount(mask);
  const std::uint64_t numbers = std::min(marks, alias.size() / 2);
  return numbers < 3 ? 0 : static_cast<std::uint32_t>(numbers - 2);
}

base::Mark Marks::mark_of(std::uint32_t number) const { return base::Mark(number << std::countr_zero(mask)); }

base::Address Marks::alias_of(std::uint32_t number) const {
  return base::Address::v4(alias.network.v4_value() + number);
}

std::uint32_t Marks::near_bit() const { return static_cast<std::uint32_t>(alias.size() / 2); }

base::Prefix Marks::near_ends() const {
  return {base::Address::v4(alias.network.v4_value() | near_bit()),
          static_cast<std::uint8_t>(alias.length + 1)};
}

const User* Config::user(std::string_view name) const {
  const auto it = std::ranges::find(users, name, &User::name);
  return it == users.end() ? nullptr : &*it;
}

base::Result<void> check(const Config& config, const Secrets& secrets) {
  if (config.ike.psks.empty() && config.ike.certificates.empty() &&
      config.l2tp.cleartext != Cleartext::only) {
    return tl::unexpected(complaint(config, config.ike.line, "ike",
                                    "at least one [[ike.psk]] or [[ike.certificate]] is needed"));
  }
  for (const auto& psk : config.ike.psks) {
    if (secrets.psk.contains(psk.name)) continue;
    const auto why =
        fmt::format("\"{}\" has no secret: the secrets file has no such key under [psk]", psk.name);
    return tl::unexpected(complaint(config, psk.line, "ike.psk", why));
  }
  return config.ppp.users == UserSource::radius ? check_radius(config, secrets)
                                                : check_users(config, secrets);
}

base::Result<Config> load(const std::string& path) {
  const auto file = open_file(path);
  if (!file) return tl::unexpected(file.error());
  const auto text = read_all(*file, path);
  if (!text) return tl::unexpected(text.error());
  return parse(base::as_text(text->view()), base_name(path));
}

base::Result<base::Secret> read_file(const std::string& path) {
  const auto file = open_file(path);
  if (!file) return tl::unexpected(file.error());
  return read_all(*file, path);
}

base::Result<base::Secret> read_secret_file(const std::string& path) {
  const auto file = open_file(path);
  if (!file) return tl::unexpected(file.error());
  if (const auto mode = file->status.st_mode & 07777; mode & 0177) {
    return base::fail(
        fmt::format("{} has mode {:04o}: nobody but its owner may read or write it (chmod 600)", path, mode));
  }
  // The daemons may not read what is another's, whatever root may who tries the configuration.
  if (const auto owner = file->status.st_uid; owner != ::geteuid()) {
    return base::fail(
        fmt::format("{} belongs to user {}, and must to user {} (chown)", path, owner, ::geteuid()));
  }
  return read_all(*file, path);
}

base::Result<Secrets> load_secrets(const std::string& path) {
  const auto text = read_secret_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse_secrets(base::as_text(text->view()), base_name(path));
}

}  // namespace config
