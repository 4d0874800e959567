// In the place of the process that reads packets: hands the channel of the one with privileges to the test,
// and ends with the status that the test says, or with the test.
//   puppet SOCKET --packets=FD

#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "os/channel.h"

int main(int argc, char** argv) {
  if (argc != 3) return 90;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  base::Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 91;
  os::Channel test(std::move(fd));
  const int channel = std::atoi(argv[2] + std::string("--packets=").size());
  if (!test.send(base::as_bytes("here"), std::span(&channel, 1))) return 92;
  ::close(channel);
  const auto end = test.receive();
  return end ? end->bytes.view().front() : 93;
}
