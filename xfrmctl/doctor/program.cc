#include "doctor/program.h"

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

namespace doctor {
namespace {

using File = std::unique_ptr<std::FILE, base::FreeWith<std::fclose>>;

[[noreturn]] void become(const std::vector<std::string>& words, int in, int out, Network network) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  if ((network == Network::empty && ::unshare(CLONE_NEWNET) < 0) || ::dup2(in, STDIN_FILENO) < 0 ||
      ::dup2(out, STDOUT_FILENO) < 0 || ::dup2(out, STDERR_FILENO) < 0)
    ::_exit(126);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

std::string whole(std::FILE* file) {
  std::string out;
  std::rewind(file);
  char buffer[65536];
  while (const auto n = std::fread(buffer, 1, sizeof buffer, file)) out.append(buffer, n);
  return out;
}

}  // namespace

base::Result<std::string> output_of(const std::vector<std::string>& words, std::string_view input,
                                    Network network) {
  // Files rather than pipes: neither side ever waits for the other.
  const File in(std::tmpfile()), out(std::tmpfile());
  if (!in || !out) return base::fail_errno("cannot make a temporary file", errno);
  if (!input.empty()) std::fwrite(input.data(), 1, input.size(), in.get());
  std::rewind(in.get());
  const auto child = ::fork();
  if (child < 0) return base::fail_errno("cannot start " + words[0], errno);
  if (child == 0) become(words, ::fileno(in.get()), ::fileno(out.get()), network);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return base::fail_errno("cannot wait for " + words[0], errno);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return base::fail(words[0] + " cannot be run: it is not installed");
  auto text = whole(out.get());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  return base::fail(fmt::format("{} failed: {}", words[0], text.substr(0, text.find('\n'))));
}

}  // namespace doctor
