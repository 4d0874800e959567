// The public library, against the kernel and against what ikd answers.

#include "saref.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/rows.h"

namespace {

/// Takes one call and answers with these bytes, whatever it says.
class Ikd {
 public:
  explicit Ikd(std::string answer) : answer_(std::move(answer)) {
    char folder[] = "/tmp/saref.XXXXXX";
    if (::mkdtemp(folder) == nullptr) std::abort();
    folder_ = folder;
    path_ = folder_ + "/ikd";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = base::Fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listener_.get(), 1) < 0)
      std::abort();
    server_ = std::thread([this] {
      const base::Fd peer(::accept(listener_.get(), nullptr, nullptr));
      char buffer[512];
      const auto n = ::recv(peer.get(), buffer, sizeof buffer, 0);
      asked_.assign(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
      // In two pieces: a stream owes nobody whole messages.
      const auto half = answer_.size() / 2;
      ::send(peer.get(), answer_.data(), half, MSG_NOSIGNAL);
      ::send(peer.get(), answer_.data() + half, answer_.size() - half, MSG_NOSIGNAL);
    });
  }
  ~Ikd() {
    server_.join();
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }

  int whois(saref_t ref, saref_peer& out) {
    errno = 0;
    return ::saref_whois(path_.c_str(), ref, &out) == 0 ? 0 : errno;
  }
  std::string asked_;

 private:
  std::string answer_, folder_, path_;
  base::Fd listener_;
  std::thread server_;
};

int error_for(const std::string& answer) {
  saref_peer peer;
  return Ikd(answer).whois(0x700, peer);
}

control::Peer bob() {
  control::Peer out;
  out.peer = 7;
  out.mark = 0x700;
  out.identity =
      "O=Ex\"ample, CN=b\xc3\xb6"
      "b";
  out.authentication = "certificate O=Example, CN=bob";
  out.address = "198.51.100.1";
  out.port = 40001;
  out.ike = control::IkeSa{.proposal = "aes256-sha1-ecp384", .cookie_i = "", .cookie_r = ""};
  control::Sa newest, older;
  newest.transform = "aes256-sha1";
  older.transform = "aes128-sha1";
  out.sas = {newest, older};
  return out;
}

std::string answer_of(const control::Peer& peer) {
  return control::Json{{"parameters", {{"peer", control::to_json(peer)}}}}.dump() + '\0';
}

TEST(Whois, TellsWhatIkdHasAuthenticated) {
  Ikd ikd(answer_of(bob()));
  saref_peer peer;
  ASSERT_EQ(ikd.whois(0x700, peer), 0);
  EXPECT_EQ(ikd.asked_,
            std::string(R"({"method":"sameroof.Ike.PeerByMark","parameters":{"mark":1792}})") + '\0');
  EXPECT_EQ(peer.number, 7U);
  EXPECT_EQ(peer.identity, bob().identity);
  EXPECT_EQ(peer.authentication, bob().authentication);
  EXPECT_STREQ(peer.proposal, "aes256-sha1-ecp384");
  EXPECT_STREQ(peer.transform, "aes256-sha1");
  EXPECT_STREQ(peer.address, "198.51.100.1");
  EXPECT_EQ(peer.port, 40001);
}

TEST(Whois, WithoutAnIkeSaThereIsNoProposal) {
  auto peer = bob();
  peer.ike.reset();
  peer.sas.clear();
  saref_peer out;
  ASSERT_EQ(Ikd(answer_of(peer)).whois(0x700, out), 0);
  EXPECT_STREQ(out.proposal, "");
  EXPECT_STREQ(out.transform, "");
}

TEST(Whois, LongTextIsCutBetweenCharacters) {
  auto peer = bob();
  peer.authentication = std::string(254, 'x') +
                        "\xc3\xb6"
                        "y";
  saref_peer out;
  ASSERT_EQ(Ikd(answer_of(peer)).whois(0x700, out), 0);
  EXPECT_EQ(out.authentication, std::string(254, 'x'));
}

TEST(Whois, AnIdentityIsWholeOrAnError) {
  auto peer = bob();
  saref_peer out;
  peer.identity = std::string(sizeof out.identity - 1, 'x');
  ASSERT_EQ(Ikd(answer_of(peer)).whois(0x700, out), 0);
  EXPECT_EQ(out.identity, peer.identity);
  peer.identity += 'x';
  EXPECT_EQ(Ikd(answer_of(peer)).whois(0x700, out), EOVERFLOW);
  EXPECT_STREQ(out.identity, "");
}

TEST(Whois, EscapesOfJsonAreUnderstood) {
  saref_peer out;
  const std::string text = R"({"parameters":{"peer":{"peer":1,"identity":"a\u00f6\ud83d\ude00\n\/z"}}})";
  ASSERT_EQ(Ikd(text + '\0').whois(1, out), 0);
  EXPECT_STREQ(out.identity, "a\xc3\xb6\xf0\x9f\x98\x80\n/z");
  // No name is another's because of what a text in C cannot hold.
  const std::string odd = R"({"parameters":{"peer":{"peer":1,"identity":"a\u0000b\ud83d"}}})";
  ASSERT_EQ(Ikd(odd + '\0').whois(1, out), 0);
  EXPECT_STREQ(out.identity,
               "a\xef\xbf\xbd"
               "b\xef\xbf\xbd");
}

TEST(Whois, NoSuchPeerIsENOENTAndNonsenseIsEPROTO) {
  EXPECT_EQ(error_for(std::string(R"({"error":"sameroof.Ike.NoSuchPeer","parameters":{}})") + '\0'), ENOENT);
  EXPECT_EQ(error_for(std::string(R"({"error":"org.varlink.service.InvalidParameter"})") + '\0'), EPROTO);
  EXPECT_EQ(error_for(std::string("{}") + '\0'), EPROTO);
  EXPECT_EQ(error_for(answer_of(bob()).insert(answer_of(bob()).size() - 1, "}")), EPROTO) << "more follows";
  EXPECT_EQ(error_for(""), EPROTO) << "it hangs up";
  EXPECT_EQ(error_for(std::string(40000, ' ') + '\0'), EPROTO) << "it does not end";
  EXPECT_EQ(error_for(R"({"parameters":{"peer":{"x":)" + std::string(1000, '[') + '\0'), EPROTO);
  EXPECT_EQ(error_for(std::string(R"({"parameters":{"peer":{"peer":4294967296}}})") + '\0'), EPROTO);
  const auto whole = answer_of(bob());
  for (std::size_t i = 1; i + 1 < whole.size(); i += 7)
    EXPECT_EQ(error_for(whole.substr(0, i) + '\0'), EPROTO) << i;
}

TEST(Whois, WithoutIkdTheErrnoSaysSo) {
  saref_peer peer;
  EXPECT_EQ(::saref_whois("/nowhere/ikd", 1, &peer), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(::saref_whois(std::string(200, 'x').c_str(), 1, &peer), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
}

TEST(Datagrams, AreAnsweredFromTheAddressThatTheyWereSentTo) {
  const base::Fd server(::socket(AF_INET, SOCK_DGRAM, 0)), client(::socket(AF_INET, SOCK_DGRAM, 0));
  ASSERT_EQ(::saref_enable(server.get()), 0) << std::strerror(errno);
  sockaddr_in any{}, there{};
  any.sin_family = there.sin_family = AF_INET;
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  socklen_t size = sizeof there;
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&there), &size), 0);
  there.sin_addr.s_addr = ::htonl(0x7f000009);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
  ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
  char buffer[16] = {};
  saref_origin from;
  ASSERT_EQ(::saref_recv(server.get(), buffer, sizeof buffer, 0, SAREF_MASK, &from), 5);
  EXPECT_EQ(from.ref, 0U) << "without IPsec";
  EXPECT_EQ(from.local.s_addr, there.sin_addr.s_addr);
  ASSERT_EQ(::saref_send(server.get(), "world", 5, 0, &from), 5) << std::strerror(errno);
  ASSERT_EQ(::recv(client.get(), buffer, sizeof buffer, MSG_DONTWAIT), 5)
      << "a connected socket takes no others";
  EXPECT_EQ(std::string(buffer, 5), "world");
}

TEST(Datagrams, BearTheMarkOfThePeerThatTheyAreFor) {
  const base::Fd server(::socket(AF_INET, SOCK_DGRAM, 0));
  if (::saref_bind(server.get(), 0x12300) < 0) GTEST_SKIP() << "needs CAP_NET_ADMIN";
  saref_t ref = 0;
  ASSERT_EQ(::saref_of(server.get(), 0xff00, &ref), 0);
  EXPECT_EQ(ref, 0x2300U) << "as far as the mask goes";
  // A datagram to ourselves keeps the mark it was sent with.
  const base::Fd sender(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::saref_enable(server.get()), 0);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
  saref_origin to{}, from;
  socklen_t size = sizeof to.source;
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&to.source), &size), 0);
  to.ref = 0x4500;
  to.local = here.sin_addr;
  ASSERT_EQ(::saref_send(sender.get(), "x", 1, 0, &to), 1) << std::strerror(errno);
  char buffer[4];
  ASSERT_EQ(::saref_recv(server.get(), buffer, sizeof buffer, MSG_DONTWAIT, SAREF_MASK, &from), 1);
  EXPECT_EQ(from.ref, 0x4500U);
}

}  // namespace
