#include "l2tpd/radius.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

namespace l2tpd {
namespace {

struct Attribute {
  const char* name;
  int number;
  const char* type;
};

// The plugin knows attributes by their numbers; a name is looked up for options of pppd's only.
constexpr Attribute attributes[] = {{"User-Name", 1, "string"},
                                    {"User-Password", 2, "string"},
                                    {"CHAP-Password", 3, "string"},
                                    {"NAS-IP-Address", 4, "ipaddr"},
                                    {"NAS-Port", 5, "integer"},
                                    {"Service-Type", 6, "integer"},
                                    {"Framed-Protocol", 7, "integer"},
                                    {"Framed-IP-Address", 8, "ipaddr"},
                                    {"Framed-IP-Netmask", 9, "ipaddr"},
                                    {"Framed-Routing", 10, "integer"},
                                    {"Filter-Id", 11, "string"},
                                    {"Framed-MTU", 12, "integer"},
                                    {"Framed-Compression", 13, "integer"},
                                    {"Reply-Message", 18, "string"},
                                    {"Framed-Route", 22, "string"},
                                    {"State", 24, "string"},
                                    {"Class", 25, "string"},
                                    {"Session-Timeout", 27, "integer"},
                                    {"Idle-Timeout", 28, "integer"},
                                    {"Termination-Action", 29, "integer"},
                                    {"Called-Station-Id", 30, "string"},
                                    {"Calling-Station-Id", 31, "string"},
                                    {"NAS-Identifier", 32, "string"},
                                    {"Acct-Status-Type", 40, "integer"},
                                    {"Acct-Delay-Time", 41, "integer"},
                                    {"Acct-Input-Octets", 42, "integer"},
                                    {"Acct-Output-Octets", 43, "integer"},
                                    {"Acct-Session-Id", 44, "string"},
                                    {"Acct-Authentic", 45, "integer"},
                                    {"Acct-Session-Time", 46, "integer"},
                                    {"Acct-Input-Packets", 47, "integer"},
                                    {"Acct-Output-Packets", 48, "integer"},
                                    {"Acct-Terminate-Cause", 49, "integer"},
                                    {"CHAP-Challenge", 60, "string"},
                                    {"NAS-Port-Type", 61, "integer"},
                                    {"Port-Limit", 62, "integer"},
                                    {"Connect-Info", 77, "string"},
                                    {"Message-Authenticator", 80, "string"},
                                    {"Acct-Interim-Interval", 85, "integer"}};

constexpr Attribute microsoft[] = {{"MS-CHAP-Response", 1, "string"},
                                   {"MS-CHAP-Error", 2, "string"},
                                   {"MS-MPPE-Encryption-Policy", 7, "integer"},
                                   {"MS-MPPE-Encryption-Types", 8, "integer"},
                                   {"MS-CHAP-Domain", 10, "string"},
                                   {"MS-CHAP-Challenge", 11, "string"},
                                   {"MS-CHAP-MPPE-Keys", 12, "string"},
                                   {"MS-MPPE-Send-Key", 16, "string"},
                                   {"MS-MPPE-Recv-Key", 17, "string"},
                                   {"MS-CHAP2-Response", 25, "string"},
                                   {"MS-CHAP2-Success", 26, "string"},
                                   {"MS-Primary-DNS-Server", 28, "ipaddr"},
                                   {"MS-Secondary-DNS-Server", 29, "ipaddr"},
                                   {"MS-Primary-NBNS-Server", 30, "ipaddr"},
                                   {"MS-Secondary-NBNS-Server", 31, "ipaddr"}};

std::string list_of(const std::vector<base::Endpoint>& servers) {
  std::string out;
  for (const auto& server : servers) out += fmt::format("{}{}", out.empty() ? "" : ",", server.to_string());
  return out;
}

/// Replaces the file as a whole: a pppd may be reading it.
base::Result<void> write_file(const std::string& path, base::ByteView content) {
  const auto fresh = path + ".new";
  ::unlink(fresh.c_str());
  const base::Fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno(fmt::format("cannot write {}", fresh), errno);
  if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      ::rename(fresh.c_str(), path.c_str()) != 0)
    return base::fail_errno(fmt::format("cannot write {}", path), errno);
  return {};
}

}  // namespace

std::string radius_configuration(const config::Radius& radius, std::string_view folder) {
  std::string out =
      fmt::format("authserver {}\nacctserver {}\n", list_of(radius.servers), list_of(radius.accounting));
  out += fmt::format("servers {0}/servers\ndictionary {0}/dictionary\n", folder);
  // The ports of terminals: there are none, and the plugin insists on the file.
  out += fmt::format("mapfile {0}/ports\nseqfile {0}/sequence\n", folder);
  out += fmt::format("nas_identifier {}\n", radius.nas_identifier);
  out += fmt::format("radius_timeout {}\nradius_retries {}\n", radius.timeout.count(), radius.tries);
  // For a login program that is not used; required all the same.
  out += "auth_order radius\nlogin_tries 1\nlogin_timeout 60\nnologin /etc/nologin\n";
  return out;
}

base::Secret radius_secrets(const config::Radius& radius, const config::Secrets& secrets) {
  std::vector<std::pair<std::string, const base::Secret*>> lines;
  std::size_t size = 0;
  for (const auto* list : {&radius.servers, &radius.accounting}) {
    for (const auto& server : *list) {
      const auto it = secrets.radius.find(server.address.to_string());
      if (it == secrets.radius.end()) continue;
      lines.emplace_back(it->first, &it->second);
      size += it->first.size() + it->second.size() + 2;
    }
  }
  auto out = base::Secret::of_size(size);
  auto at = out.writable().begin();
  for (const auto& [server, secret] : lines) {
    at = std::ranges::copy(base::as_bytes(server + " "), at).out;
    at = std::ranges::copy(secret->view(), at).out;
    *at++ = '\n';
  }
  return out;
}

std::string radius_dictionary() {
  std::string out = "VENDOR Microsoft 311\n";
  for (const auto& [name, number, type] : attributes)
    out += fmt::format("ATTRIBUTE {} {} {}\n", name, number, type);
  for (const auto& [name, number, type] : microsoft)
    out += fmt::format("ATTRIBUTE {} {} {} Microsoft\n", name, number, type);
  return out;
}

base::Result<std::string> write_radius_files(const std::string& folder, const config::Config& config,
                                             const config::Secrets& secrets) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return base::fail_errno(fmt::format("cannot make {}", folder), errno);
  struct stat found {};
  if (::lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != ::geteuid())
    return base::fail(fmt::format("{} is not a folder of ours", folder));
  if (::chmod(folder.c_str(), 0700) != 0)
    return base::fail_errno(fmt::format("cannot close {}", folder), errno);
  const auto shared = radius_secrets(config.radius, secrets);
  const auto settings = radius_configuration(config.radius, folder);
  const auto dictionary = radius_dictionary();
  const std::pair<const char*, base::ByteView> files[] = {{"/servers", shared.view()},
                                                          {"/dictionary", base::as_bytes(dictionary)},
                                                          {"/ports", {}},
                                                          {"/radius.conf", base::as_bytes(settings)}};
  for (const auto& [name, content] : files) {
    if (const auto written = write_file(folder + name, content); !written)
      return tl::unexpected(written.error());
  }
  return folder + "/radius.conf";
}

void remove_radius_files(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::chrono::seconds longest_accounting(const config::Radius& radius) {
  return radius.timeout * static_cast<int>(radius.tries * radius.accounting.size());
}

}  // namespace l2tpd
